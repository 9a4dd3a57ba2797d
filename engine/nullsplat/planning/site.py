"""What a site asks of its node: which series arrive when, what must be ready by when, how its workers behave."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nullsplat.core.errors import ConfigurationError, UnreadableFile
from nullsplat.core.suggestion import did_you_mean
from nullsplat.planning.notation import Window, daily_window, seconds_of, weekly_window

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]

OFFICE_HOURS = (1, 1, 1, 1, 1, 1, 2, 5, 9, 10, 10, 10, 8, 8, 9, 9, 8, 6, 4, 3, 3, 2, 2, 1)
"""An assumption, not a measurement: busy from eight to five, emergencies around the clock."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stream(_Part):
    """The series of one priority."""

    priority: Literal["stat", "normal", "night"]
    share: Share
    """Of all series."""
    hours: str = ""
    """When they are submitted, such as "22:00-06:00"; empty for at once."""
    within: str = ""
    """After which a result counts as late, from arrival or from when the hours begin; empty for never."""

    @field_validator("hours", "within")
    @classmethod
    def _check(cls, value: str, info: Any) -> str:
        if value:
            {"hours": daily_window, "within": seconds_of}[info.field_name](value)
        return value

    @property
    def window(self) -> Window | None:
        """When they are submitted; None for at once."""
        return daily_window(self.hours) if self.hours else None

    @property
    def limit(self) -> float | None:
        """After so many seconds a result is late."""
        return seconds_of(self.within) if self.within else None


class Workers(_Part):
    """What happens to workers."""

    days_between_failures: NotNegative = 30.0
    """Of one worker, on average, when it or its machine fails; 0 for never."""
    restart: str = "2m"
    """Until a worker that failed takes jobs again."""
    noticed: str = "10s"
    """Until another one goes on with its job; 70s where workers are on several machines."""
    maintenance: str = ""
    """When no worker runs, such as "sun 02:00-04:00"."""

    @field_validator("restart", "noticed", "maintenance")
    @classmethod
    def _check(cls, value: str, info: Any) -> str:
        if value or info.field_name != "maintenance":
            (weekly_window if info.field_name == "maintenance" else seconds_of)(value)
        return value


class Jobs(_Part):
    """What happens to jobs beside their work."""

    failing: Annotated[float, Field(ge=0, lt=1)] = 0.005
    """Share of attempts that fail for a reason that passes, such as an archive that is away."""
    retry: str = "1m"
    """Until such a job is tried again."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 60
    """All together, as the plugin's MaxAttempts."""
    ageing_seconds: NotNegative = 4 * 3600.0
    """As NULLSPLAT_AGEING_SECONDS."""
    before: str = "1m"
    """From the last slice to the queue: Orthanc's StableAge, and the plugin's check."""
    after: str = "8s"
    """From the archive to the PACS: the plugin's polling and C-STORE."""

    @field_validator("retry", "before", "after")
    @classmethod
    def _check(cls, value: str) -> str:
        seconds_of(value)
        return value

    @property
    def around(self) -> float:
        """Seconds between arrival and delivery that are neither waiting in the queue nor work."""
        return seconds_of(self.before) + seconds_of(self.after)


STREAMS = (
    Stream(priority="stat", share=0.1, within="10m"),
    Stream(priority="normal", share=0.7, within="4h"),
    Stream(priority="night", share=0.2, hours="20:00-06:00", within="12h"),
)


class Site(_Part):
    """All of it. The simulated year begins on a Monday and has 52 weeks."""

    series_per_day: Positive = 400.0
    """On a day whose factor in `weekdays` is 1."""
    series_per_study: Annotated[int, Field(ge=1, le=100)] = 1
    """How many arrive together."""
    weekdays: Annotated[tuple[NotNegative, ...], Field(min_length=7, max_length=7)] = (
        1,
        1,
        1,
        1,
        1,
        0.4,
        0.4,
    )
    """Monday to Sunday."""
    hours: Annotated[tuple[NotNegative, ...], Field(min_length=24, max_length=24)] = OFFICE_HOURS
    """Relative weights of the hours of a day, from midnight."""
    stream: Annotated[tuple[Stream, ...], Field(min_length=1)] = STREAMS
    workers: Workers = Workers()
    jobs: Jobs = Jobs()

    @model_validator(mode="after")
    def _check_sums(self) -> "Site":
        if not sum(self.hours) or not sum(self.weekdays):
            raise ValueError("weekdays and hours must not be all 0")
        if abs(sum(stream.share for stream in self.stream) - 1) > 1e-6:
            raise ValueError("the shares of all streams must add up to 1")
        if len({stream.priority for stream in self.stream}) < len(self.stream):
            raise ValueError("each priority may have one stream; add up its shares")
        return self


def read_site(path: Path) -> Site:
    """The site that a TOML file describes.

    Raises:
        UnreadableFile: it is not there, or not TOML.
        ConfigurationError: it says something that cannot be.
    """
    try:
        return make_site(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path} must be a site file in TOML: {error}") from error


def make_site(values: dict[str, Any], source: str) -> Site:
    """A site out of plain values; what is not among them is as in the default.

    Args:
        source: where the values come from, for messages.

    Raises:
        ConfigurationError: they say something that cannot be.
    """
    try:
        return Site.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(
            f"{source}: " + "; ".join(_complaint(fault) for fault in error.errors())
        ) from None


def _complaint(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] != "extra_forbidden":
        return f"{where}: {message}" if where else message
    parts: dict[str, type[_Part]] = {"stream": Stream, "workers": Workers, "jobs": Jobs}
    known = (parts[fault["loc"][0]] if len(fault["loc"]) > 1 else Site).model_fields
    return f"{where} is not a key{did_you_mean(str(fault['loc'][-1]), known)}"

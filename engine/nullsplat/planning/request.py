"""The question that `nullsplat plan` answers, out of its options."""

import re
from dataclasses import dataclass
from pathlib import Path

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.preset_facts import DEFAULT
from nullsplat.planning.job_times import JobTimes, measured, of_preset, stated
from nullsplat.planning.notation import seconds_of
from nullsplat.planning.site import Site, make_site, read_site

MOST_WORKERS = 1000


@dataclass(frozen=True)
class Options:
    """As they were typed; None and empty for those that were not."""

    site: Path | None = None
    series: float | None = None
    within: str = ""
    jobs: Path | None = None
    seconds: float | None = None
    preset: str | None = None
    workers: str = ""
    share: float = 95.0
    years: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """The question.

    Attributes:
        numbers: of workers to try; empty to search.
        share: of the results that must be in time, in (0, 1].
    """

    site: Site
    times: JobTimes
    numbers: tuple[int, ...]
    share: float
    years: int
    seed: int


def request_of(options: Options) -> Request:
    """The question out of the options.

    Raises:
        ConfigurationError: an option says something that cannot be.
        UnreadableFile: a file cannot be read.
    """
    return Request(
        _site(options),
        _times(options),
        _numbers(options.workers),
        options.share / 100,
        options.years,
        options.seed,
    )


def _site(options: Options) -> Site:
    site = Site() if options.site is None else read_site(options.site)
    values = site.model_dump()
    if options.series is not None:
        values["series_per_day"] = options.series
    for priority, limit in _limits(options.within).items():
        chosen = [stream for stream in values["stream"] if stream["priority"] == priority]
        if not chosen:
            known = ", ".join(stream.priority for stream in site.stream)
            raise ConfigurationError(
                f"--within must name priorities that the site has ({known}), got {priority!r}"
            )
        chosen[0]["within"] = limit
    return make_site(values, "the options")


def _limits(written: str) -> dict[str, str]:
    limits = {}
    for part in filter(None, written.split(",")):
        priority, _, limit = (word.strip() for word in part.partition("="))
        try:
            seconds_of(limit)
        except ValueError as error:
            raise ConfigurationError(f"--within must be like stat=10m,normal=2h: {error}") from None
        limits[priority] = limit
    return limits


def _times(options: Options) -> JobTimes:
    given = [name for name in ("jobs", "seconds", "preset") if getattr(options, name) is not None]
    if len(given) > 1:
        raise ConfigurationError(f"give one of --jobs, --seconds and --preset, got --{' and --'.join(given)}")
    if options.jobs is not None:
        return measured(options.jobs)
    return of_preset(options.preset or DEFAULT) if options.seconds is None else stated(options.seconds)


def _numbers(written: str) -> tuple[int, ...]:
    """The numbers out of "3" or "2-6"; none out of nothing."""
    if not written:
        return ()
    match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", written, re.ASCII)
    least, most = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= least <= most <= MOST_WORKERS:
        raise ConfigurationError(f"--workers must be like 3 or 2-6, up to {MOST_WORKERS}, got {written!r}")
    return tuple(range(least, most + 1))

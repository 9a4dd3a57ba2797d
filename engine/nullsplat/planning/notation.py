"""Durations, hours of the day and weekly windows, as people write them."""

import re
from dataclasses import dataclass

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
WEEK = 7 * DAY
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS = {"s": 1.0, "m": MINUTE, "h": HOUR, "d": DAY}


@dataclass(frozen=True)
class Window:
    """A stretch of time that comes again and again, in seconds from the beginning of its `period`.

    Attributes:
        start: at least 0 and less than the period.
        length: at most the period; may reach into the next one.
        period: a day or a week.
    """

    start: float
    length: float
    period: float

    def opens(self, moment: float) -> float:
        """When it is open next: `moment` itself within it."""
        since = (moment - self.start) % self.period
        return moment if since < self.length else moment + self.period - since


def seconds_of(written: str) -> float:
    """Seconds out of "90s", "10m", "2h" or "1d".

    Raises:
        ValueError: it is not written like that.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", written, re.ASCII)
    if match is None or not float(match[1]):
        raise ValueError(f'a duration must be like "90s", "10m", "2h" or "1d", got {written!r}')
    return float(match[1]) * _UNITS[match[2]]


def daily_window(written: str) -> Window:
    """The hours out of "22:00-06:00", which may go over midnight.

    Raises:
        ValueError: it is not written like that.
    """
    match = re.fullmatch(r"\s*(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)\s*", written, re.ASCII)
    start, end = (_seconds(match, 1), _seconds(match, 3)) if match else (DAY, DAY)
    if start >= DAY or end > DAY or start == end:
        raise ValueError(f'hours must be like "22:00-06:00", got {written!r}')
    return Window(start, (end - start) % DAY or DAY, DAY)


def weekly_window(written: str) -> Window:
    """The window out of "sun 02:00-04:00".

    Raises:
        ValueError: it is not written like that.
    """
    day, _, hours = written.strip().lower().partition(" ")
    if day not in WEEKDAYS:
        raise ValueError(f'a weekly window must be like "sun 02:00-04:00", got {written!r}')
    window = daily_window(hours)
    return Window(WEEKDAYS.index(day) * DAY + window.start, window.length, WEEK)


def _seconds(match: re.Match[str], group: int) -> float:
    hours, minutes = int(match[group]), int(match[group + 1])
    return hours * HOUR + minutes * MINUTE if minutes < 60 else 2 * DAY

# SPDX-License-Identifier: AGPL-3.0-or-later
"""When jobs may be submitted: hours of the day, and how many a day.

Hours are local time of the machine that Orthanc runs on, and a day is its calendar day. When the clocks change,
hours that do not exist that day begin when the clock has passed them, and those that come twice begin twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Optional, Sequence, Tuple

MINUTES_A_DAY = 24 * 60
RECOUNT_SECONDS = 1.0
"""Seconds to wait for the count of today's jobs, which after a start takes about 1 ms for each series."""


@dataclass(frozen=True)
class Span:
    """Hours of the day, in minutes since midnight; over midnight when `end` is not after `start`."""

    start: int
    end: int

    def holds(self, minute: int) -> bool:
        """Return whether the minute lies in it; the last one does not."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def __str__(self) -> str:
        """Return it as written in the file."""
        return f"{_clock(self.start)}-{_clock(self.end)}"


def read_span(written: str) -> Optional[Span]:
    """Return the span out of "22:00-06:00"; None when it is not written like that, or is empty."""
    match = re.fullmatch(r"\s*(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)\s*", written, re.ASCII)
    if match is None:
        return None
    hour, minute, end_hour, end_minute = (int(part) for part in match.groups())
    start, end = 60 * hour + minute, 60 * end_hour + end_minute
    good = minute < 60 and end_minute < 60 and start < MINUTES_A_DAY and end <= MINUTES_A_DAY
    return Span(start, end) if good and start != end else None


def opens_at(spans: Sequence[Span], now: float) -> float:
    """Return `now` when the hours hold (or there are none), else when they begin; seconds since the epoch."""
    here = datetime.fromtimestamp(now)
    if not spans or any(span.holds(60 * here.hour + here.minute) for span in spans):
        return now
    return min(_next(here, span.start) for span in spans)


def day_of(now: float) -> Tuple[float, float]:
    """Return when the local day began and when the next begins, seconds since the epoch."""
    midnight = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return midnight.timestamp(), (midnight + timedelta(days=1)).timestamp()


@dataclass(frozen=True)
class Hold:
    """Why a job is not submitted yet, and until when; seconds since the epoch."""

    until: float
    words: str


def hold(spans: Sequence[Span], most: Optional[int], handed: Optional[int], now: float) -> Optional[Hold]:
    """Return why the job must wait, None when it need not.

    Args:
        spans: hours in which jobs are submitted, none for any hour.
        most: how many are submitted a day, None for no limit.
        handed: how many others were today, None while that is not counted yet.
    """
    if most is not None and handed is None:
        return Hold(now + RECOUNT_SECONDS, "the jobs submitted today are being counted")
    if most is not None and handed is not None and handed >= most:
        until = opens_at(spans, day_of(now)[1])
        return Hold(
            until, f"{handed} of at most {most} series a day were submitted, so it waits for the next day"
        )
    until = opens_at(spans, now)
    if until == now:
        return None
    return Hold(until, f"series are submitted only in {' and '.join(map(str, spans))}")


def _next(here: datetime, start: int) -> float:
    begin = here.replace(hour=start // 60, minute=start % 60, second=0, microsecond=0, fold=0)
    begin = begin if begin > here else begin + timedelta(days=1)
    at = begin.timestamp()
    return at if at > here.timestamp() else begin.replace(fold=1).timestamp()


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"

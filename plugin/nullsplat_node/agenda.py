# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which series to look at when."""

from __future__ import annotations

from typing import Dict, Optional


class Agenda:
    """Series by the time at which they are due, seconds since the epoch."""

    def __init__(self) -> None:
        self._due: Dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many series are to be looked at."""
        return len(self._due)

    def add(self, series: str, at: float) -> None:
        """Look at the series at that time, or earlier if that was planned already."""
        self._due[series] = min(at, self._due.get(series, at))

    def drop(self, series: str) -> None:
        """Do not look at the series any more."""
        self._due.pop(series, None)

    def next_time(self) -> Optional[float]:
        """Return when the next series is due, None when there is none."""
        return min(self._due.values(), default=None)

    def pop_due(self, now: float) -> Optional[str]:
        """Take out and return the series that has been due for longest, None when none is due."""
        series = min(self._due, key=self._due.__getitem__, default=None)
        if series is None or self._due[series] > now:
            return None
        del self._due[series]
        return series

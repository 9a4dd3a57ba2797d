# SPDX-License-Identifier: AGPL-3.0-or-later
"""When to check which series."""

from __future__ import annotations

import heapq
from typing import Dict, List, Optional, Tuple


class Agenda:
    """Series by the time at which they are due, seconds since the epoch."""

    def __init__(self) -> None:
        self._due: Dict[str, float] = {}
        self._heap: List[Tuple[float, str]] = []  # may hold outdated times; `_due` is authoritative

    def __len__(self) -> int:
        """Return how many series are to be checked."""
        return len(self._due)

    def add(self, series: str, at: float) -> None:
        """Check the series at that time, or earlier if that was planned already."""
        if at < self.planned(series):
            self._due[series] = at
            heapq.heappush(self._heap, (at, series))

    def drop(self, series: str) -> None:
        """Do not check the series any more."""
        self._due.pop(series, None)

    def planned(self, series: str) -> float:
        """Return when the series is to be checked, infinity when it is not."""
        return self._due.get(series, float("inf"))

    def next_time(self) -> Optional[float]:
        """Return when the next series is due, None when there is none."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Optional[str]:
        """Remove and return the series that has been due for longest, None when none is due."""
        first = self.next_time()
        if first is None or first > now:
            return None
        series = heapq.heappop(self._heap)[1]
        del self._due[series]
        return series

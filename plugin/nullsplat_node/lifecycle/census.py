# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counts of series by state, and the latest of each, updated with every change instead of recomputed.

With some hundred thousand series, a pass over all of them takes longer than a page or an event may.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass, field
from typing import Dict, FrozenSet, Iterable, List, Mapping, Optional, Set, Tuple

from nullsplat_node.lifecycle.state import HELD, IN_WORK, PENDING, PHASES, SeriesState

Tally = Tuple[str, str]
MOST = 500
"""Series listed for each state, the latest ones."""


@dataclass(frozen=True)
class Counts:
    """What was counted.

    Attributes:
        phases: series by state.
        reasons: series by state and code.
        routes: routes by destination and state, without those of results that are held back.
        pending_since: since when the series waits that is pending for longest, seconds since the epoch; None when none is.
    """

    phases: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[Tally, int] = field(default_factory=dict)
    routes: Mapping[Tally, int] = field(default_factory=dict)
    pending_since: Optional[float] = None


class Census:
    """Counts and finds series.

    Attributes:
        restless: series for which something is to be done though their instances do not change.
        delivering: series with routes that are not settled and not held back.
        sending: which of them waits for a store job or an errand, by its name.
    """

    def __init__(self) -> None:
        self.restless: Set[str] = set()
        self.delivering: Set[str] = set()
        self.sending: Dict[str, str] = {}
        self._phases: "Counter[str]" = Counter()
        self._reasons: "Counter[Tally]" = Counter()
        self._routes: "Counter[Tally]" = Counter()
        self._jobs: "Counter[str]" = Counter()
        self._latest = {phase: Latest() for phase in PHASES}

    def change(self, series: str, before: Optional[SeriesState], after: Optional[SeriesState]) -> None:
        """Record a new state; None for none."""
        for state, sign in ((before, -1), (after, 1)):
            if state is not None:
                self._count(state, sign)
        for route in before.routes if before is not None else ():
            self.sending.pop(route.job, None)
        self.sending.update((route.job, series) for route in (after.routes if after else ()) if route.job)
        if before is not None:
            self._latest[before.phase].drop(series)
        if after is not None:
            self._latest[after.phase].add(series, after.since)
        _keep(self.restless, series, after is not None and not after.settled)
        _keep(self.delivering, series, after is not None and _is_delivering(after))

    def counts(self) -> Counts:
        """Return a copy of all counts."""
        earliest = self._latest[PENDING].earliest()
        return Counts(dict(self._phases), dict(self._reasons), dict(self._routes), earliest)

    def latest(self, phases: Iterable[str]) -> List[str]:
        """Return the series that are in one of the phases, of each phase the latest at most."""
        return [series for phase in phases for series in self._latest[phase].series()]

    def is_wanted(self, key: str) -> bool:
        """Return whether the job is that of a series in work."""
        return self._jobs[key] > 0

    def _count(self, state: SeriesState, sign: int) -> None:
        _add(self._phases, state.phase, sign)
        if state.code:
            _add(self._reasons, (state.phase, state.code), sign)
        for route in state.routes if state.phase != HELD else ():  # their destinations are not at fault
            _add(self._routes, (route.destination, route.phase), sign)
        if state.phase in IN_WORK:
            _add(self._jobs, state.key, sign)


class Latest:
    """The latest of many series. Twice as many as are asked for are kept in order, so that they are rarely searched for again."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._at: Dict[str, float] = {}
        self._top: List[Tuple[float, str]] = []

    def add(self, series: str, at: float) -> None:
        """Add a series."""
        whole = len(self._top) == len(self._at)
        self._at[series] = at
        if whole or (self._top and (at, series) > self._top[0]):
            insort(self._top, (at, series))
            del self._top[: -2 * self._most]

    def drop(self, series: str) -> None:
        """Take a series out."""
        entry = (self._at.pop(series), series)
        place = bisect_left(self._top, entry)
        if self._top[place : place + 1] == [entry]:
            del self._top[place]

    def series(self) -> List[str]:
        """Return the latest, the very latest first."""
        if len(self._top) < min(self._most, len(self._at)):
            entries = ((at, series) for series, at in self._at.items())
            self._top = heapq.nlargest(2 * self._most, entries)[::-1]
        return [series for _, series in reversed(self._top[-self._most :])]

    def earliest(self) -> Optional[float]:
        """Return the earliest time, None when there is none."""
        return min(self._at.values(), default=None)


class HandedOver:
    """Which series were submitted on which day under which rule."""

    def __init__(self) -> None:
        self._places: Dict[str, Tuple[str, float]] = {}
        self._days: Dict[Tuple[str, float], Set[str]] = {}

    def note(self, series: str, rule: str, day: float) -> None:
        """Record the last time that a series was submitted, on the day that began then."""
        before, now = self._places.get(series), (rule, day)
        if before == now:
            return
        if before is not None:
            self._days[before].discard(series)
        self._places[series] = now
        self._days.setdefault(now, set()).add(series)

    def on(self, rule: str, day: float) -> FrozenSet[str]:
        """Return the series of a day."""
        return frozenset(self._days.get((rule, day), ()))


def _is_delivering(state: SeriesState) -> bool:
    return state.phase != HELD and any(not route.settled for route in state.routes)


def _add(counter: "Counter[object]", name: object, sign: int) -> None:
    counter[name] += sign
    if not counter[name]:
        del counter[name]


def _keep(found: Set[str], series: str, wanted: bool) -> None:
    if wanted:
        found.add(series)
    else:
        found.discard(series)

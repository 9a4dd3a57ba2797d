# SPDX-License-Identifier: AGPL-3.0-or-later
"""The states of all series: the series metadata is authoritative, a copy in memory answers queries.

Changes come from the worker and from people (REST). Each names the state it started from; when that is no
longer the current one, the change is dropped and decided again, so no lock is held during requests to the engine.
"""

from __future__ import annotations

import threading
from typing import Callable, Dict, FrozenSet, Iterable, Optional, Set

from nullsplat_node.archive.archive import Archive, SeriesHere
from nullsplat_node.lifecycle.census import Census, Counts, HandedOver
from nullsplat_node.lifecycle.state import SeriesState, StateUnreadable, decode, encode
from nullsplat_node.lifecycle.transitions import unreadable
from nullsplat_node.rules.schedule import day_of


class StateStore:
    """States by Orthanc's series identifier.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, archive: Archive, clock: Callable[[], float]) -> None:
        self._archive = archive
        self._clock = clock
        self._lock = threading.Lock()
        self._states: Dict[str, SeriesState] = {}
        self._derived: Set[str] = set()
        self._census = Census()
        self._handed = HandedOver()
        self._complete = False

    def load(self, here: SeriesHere) -> Optional[SeriesState]:
        """Return the state of a series that was just looked at, None when it has none."""
        with self._lock:
            if here.series not in self._states and here.stored_state:
                self._keep(here.series, self._decode(here))
            return self._states.get(here.series)

    def get(self, series: str) -> Optional[SeriesState]:
        """Return the state as it was last loaded or written, None when there is none."""
        with self._lock:
            return self._states.get(series)

    def replace(self, series: str, before: Optional[SeriesState], after: SeriesState) -> bool:
        """Write a new state; return whether `before` was still the current one, else nothing is written.

        Raises:
            NotInArchive: the series is not here any more.
        """
        with self._lock:
            if self._states.get(series) != before:
                return False
            if after != before:
                self._archive.remember(series, encode(after))
                self._keep(series, after)
            return True

    def forget(self, series: str) -> Optional[SeriesState]:
        """Drop a deleted series from memory, and return its state."""
        with self._lock:
            state = self._states.pop(series, None)
            if state is not None:
                self._census.change(series, state, None)
            return state

    def known(self) -> Set[str]:
        """Return a copy of the identifiers of all series that have a state."""
        with self._lock:
            return set(self._states)

    def restless(self) -> Set[str]:
        """Return the series for which something is to be done though their instances do not change."""
        with self._lock:
            return set(self._census.restless)

    def delivering(self) -> int:
        """Return of how many series the results are on their way."""
        with self._lock:
            return len(self._census.delivering)

    def waits_for(self, job: str) -> Optional[str]:
        """Return the series whose result is sent by this store job or errand, None when no series waits for it."""
        with self._lock:
            return self._census.sending.get(job)

    def counts(self) -> Counts:
        """Return how many series there are of each kind."""
        with self._lock:
            return self._census.counts()

    def latest(self, phases: Iterable[str]) -> Dict[str, SeriesState]:
        """Return the latest states of each of the phases."""
        with self._lock:
            return {series: self._states[series] for series in self._census.latest(phases)}

    def is_wanted(self, key: str) -> bool:
        """Return whether the job is that of a series in work."""
        with self._lock:
            return self._census.is_wanted(key)

    def is_derived(self, series_uid: str) -> bool:
        """Return whether this is the Series Instance UID of a known result, or of what goes with one."""
        with self._lock:
            return series_uid in self._derived

    def completed(self) -> None:
        """Record that every series of the archive was loaded since the start."""
        self._complete = True

    def handed_over(self, rule: str, now: float) -> Optional[FrozenSet[str]]:
        """Return the series submitted under this rule that day, None while not all series were loaded.

        Also those that were deleted meanwhile, as long as the plugin runs.
        """
        with self._lock:
            return self._handed.on(rule, day_of(now)[0]) if self._complete else None

    def _keep(self, series: str, state: SeriesState) -> None:
        self._census.change(series, self._states.get(series), state)
        self._states[series] = state
        if state.handed_at is not None:
            self._handed.note(series, state.rule, day_of(state.handed_at)[0])
        self._derived.update(state.derived_uids)

    def _decode(self, here: SeriesHere) -> SeriesState:
        try:
            return decode(here.stored_state)
        except StateUnreadable as error:
            return unreadable(str(error), self._clock())

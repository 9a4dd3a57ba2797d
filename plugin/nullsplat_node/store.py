# SPDX-License-Identifier: AGPL-3.0-or-later
"""The states of all series: the series metadata is the truth, a copy in memory answers questions.

Changes come from the worker and from people (REST). Each says which state it started from; when that is no
longer the current one the change is dropped and decided anew, so no lock is held while the engine is asked.
"""

from __future__ import annotations

import threading
from typing import Callable, Dict, FrozenSet, Optional, Set, Tuple

from .archive import Archive, SeriesHere
from .state import SeriesState, StateUnreadable, decode, encode
from .transitions import unreadable


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
        self._handed: Dict[str, Tuple[str, float]] = {}
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
        """Drop what is kept in memory about a series that was deleted, and return it."""
        with self._lock:
            return self._states.pop(series, None)

    def all(self) -> Dict[str, SeriesState]:
        """Return a copy of all states."""
        with self._lock:
            return dict(self._states)

    def derived_uids(self) -> FrozenSet[str]:
        """Return the Series Instance UIDs of all known results."""
        with self._lock:
            return frozenset(self._derived)

    def completed(self) -> None:
        """Take note that every series of the archive was loaded since the start."""
        self._complete = True

    def handed_over(self, rule: str, since: float) -> Optional[FrozenSet[str]]:
        """Return the series handed over under this rule since then, None while not all series were loaded.

        Also those that were deleted meanwhile, as long as the plugin runs.
        """
        with self._lock:
            found = [series for series, (name, at) in self._handed.items() if name == rule and at >= since]
        return frozenset(found) if self._complete else None

    def _keep(self, series: str, state: SeriesState) -> None:
        self._states[series] = state
        if state.handed_at is not None:
            self._handed[series] = (state.rule, state.handed_at)
        self._derived.update(state.derived_uids)

    def _decode(self, here: SeriesHere) -> SeriesState:
        try:
            return decode(here.stored_state)
        except StateUnreadable as error:
            return unreadable(str(error), self._clock())

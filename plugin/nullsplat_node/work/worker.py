# SPDX-License-Identifier: AGPL-3.0-or-later
"""The thread that acts: checks series when they are due, and scans the whole archive regularly."""

from __future__ import annotations

import math
import queue
import threading
import traceback
from typing import Callable, List, Optional, Set

from nullsplat_node.archive.archive import ArchiveError, NotInArchive
from nullsplat_node.engine.client import EngineRefused, EngineUnavailable
from nullsplat_node.lifecycle.reconciler import Seen, Step, decide
from nullsplat_node.lifecycle.state import IN_WORK, ROUTING, SeriesState
from nullsplat_node.work.agenda import Agenda
from nullsplat_node.work.context import Parts
from nullsplat_node.work.deliveries import BETWEEN_LOOKS
from nullsplat_node.work.others import Others
from nullsplat_node.work.steps import Steps, cancel_at_engine

RECHECKS = 2000
"""Settled series that are checked again in one scan: bounds the load on large archives (about 1 ms each)."""
NEVER = math.inf
"""Time of the next check of a series that needs nothing."""
ENGINE_FRESH = 2.0
"""Seconds for which what the engine says of itself and of others' jobs is fresh enough for a page."""
STEPS_IN_A_ROW = 20
"""Steps for one series before another gets its turn."""


class Worker:
    """Performs what the reconciler decides.

    Attributes:
        last_scan: when the whole archive was last scanned, None before the first time.
        others: the jobs of others at the engine, as long as somebody looks at the page.
    """

    def __init__(self, parts: Parts, steps: Steps) -> None:
        self.last_scan: Optional[float] = None
        self.others = Others(parts)
        self._archive = parts.archive
        self._engine = parts.engine
        self._store = parts.store
        self._settings = parts.settings
        self._clock = parts.clock
        self._log = parts.log
        self._steps = steps
        self._agenda = Agenda()
        self._notified: "queue.Queue[Optional[str]]" = queue.Queue()
        self._orphans: List[str] = []
        self._unread: Set[str] = set()
        self._turn = 0
        self._watched = False
        self._looked_at = -math.inf
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nullsplat", daemon=True)

    def start(self) -> None:
        """Start with a scan of the whole archive."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ask the thread to end and wait for at most that many seconds; nothing is lost when it does not."""
        self._stopping.set()
        self._notified.put(None)
        self._thread.join(timeout)

    def look_at_engine(self) -> None:
        """Request a ping of the engine; returns at once."""
        self._watched = True
        self._notified.put(None)

    def notify(self, series: str) -> None:
        """Notify that a series may have changed; returns at once."""
        self._notified.put(series)

    def _run(self) -> None:
        next_scan = self._clock()
        while not self._stopping.is_set():
            if self._was_set_back(next_scan):
                self._steps.try_all_at_once()
                next_scan = self._clock()
            if self._clock() >= next_scan:
                self._guarded(self._scan)
                next_scan = self._clock() + self._settings.reconcile_interval
            self._take_notified(next_scan)
            if self._watched and abs(self._clock() - self._looked_at) >= ENGINE_FRESH:
                self._watched, self._looked_at = False, self._clock()
                self._guarded(self._look_for_page)
            series = self._agenda.pop_due(self._clock())
            if series is not None:
                self._attend(series)

    def _was_set_back(self, next_scan: float) -> bool:
        """Return whether the clock was set back, so that all times noted so far lie too far ahead."""
        return next_scan - self._clock() > self._settings.reconcile_interval

    def _take_notified(self, next_scan: float) -> None:
        """Wait until something is due or notified, and put it on the agenda."""
        due = min(next_scan, self._agenda.next_time() or next_scan)
        # Not longer, or a clock set back would stop everything for as long.
        longest = self._settings.reconcile_interval
        try:
            changed = self._notified.get(timeout=min(longest, max(0.0, due - self._clock())))
            while True:
                if changed is not None:
                    self._agenda.add(changed, self._clock())
                changed = self._notified.get_nowait()
        except queue.Empty:
            return

    def _guarded(self, work: Callable[[], None]) -> bool:
        """Do the work and return whether it succeeded: the thread must survive any exception."""
        try:
            work()
        except ArchiveError as error:
            self._log.error(f"NullSplat: {error}; retrying later")
            return False
        except Exception as surprise:  # noqa: BLE001 - last resort; expected errors are handled where they happen
            where = traceback.extract_tb(surprise.__traceback__)[-1]
            # Not the message: it may quote what a file contained.
            self._log.error(
                f"NullSplat: unexpected {type(surprise).__name__} in {where.name}, line {where.lineno}; retrying later"
            )
            return False
        return True

    def _attend(self, series: str) -> None:
        if not self._guarded(lambda: self._look(series)):
            self._agenda.add(series, self._clock() + self._settings.retry.backoff.longest)

    def _look(self, series: str) -> None:
        """Perform all steps that are due for the series, and plan the next check."""
        for _ in range(STEPS_IN_A_ROW):
            again_at = self._one_step(series)
            if again_at > self._clock():
                break
        if again_at < NEVER:
            self._agenda.add(series, again_at)

    def _one_step(self, series: str) -> float:
        """Perform the next step for the series and return when to check again."""
        try:
            here = self._archive.look(series)
        except NotInArchive:
            self._gone(series)
            return NEVER
        state = self._store.load(here)
        self._was_read(series)
        seen = Seen(here.digest, here.changed_at)
        contact = self._steps.contact(series)
        following = decide(state, seen, contact, self._clock(), self._settings.stable_age)
        if following.step is Step.REST:
            return NEVER
        if following.step is Step.WAIT:
            return following.at
        try:
            again_at = self._steps.perform(following.step, here, state)
        except NotInArchive:
            return self._clock() + 1.0  # deleted meanwhile; the next check shows what is left
        self._log_change(series, state)
        return again_at

    def _log_change(self, series: str, before: Optional[SeriesState]) -> None:
        after = self._store.get(series)
        if after is not None and (before is None or after.phase != before.phase):
            self._log.warning(
                f"NullSplat: series {series} is {after.phase}{f' ({after.code})' if after.code else ''}"
            )

    def _scan(self) -> None:
        """Scan the whole archive and ping the engine; whatever no event reported is found here."""
        self._ping()
        now = self._clock()
        known = self._store.known()
        present = self._archive.series()
        if self.last_scan is None:
            self._unread = set(present).difference(known)
        for series in known.difference(present):
            self._drop(series)
        self._cancel_orphans()
        for series in self._worth_a_look(present, known):
            self._agenda.add(series, now)
        self.last_scan = now
        self._was_read()

    def _was_read(self, *series: str) -> None:
        """Record that these series were checked since the start, or are gone."""
        self._unread.difference_update(series)
        if self.last_scan is not None and not self._unread:
            self._store.completed()

    def _worth_a_look(self, present: List[str], known: Set[str]) -> List[str]:
        restless = self._store.restless()
        quiet = known.difference(restless)
        settled = [series for series in present if series in quiet]
        planned = {series for series in restless if self._is_planned(series)}
        open_ones = [series for series in present if series not in quiet and series not in planned]
        if not settled:
            return open_ones
        start = self._turn % len(settled)
        self._turn = start + RECHECKS
        return open_ones + (settled[start:] + settled[:start])[:RECHECKS]

    def _is_planned(self, series: str) -> bool:
        """Return whether it is a delivery, of which there may be thousands, and will be checked soon anyway."""
        state = self._store.get(series)
        if state is None or state.phase != ROUTING:
            return False
        longest = max(self._settings.retry.backoff.longest, BETWEEN_LOOKS * self._store.delivering())
        return self._agenda.planned(series) <= self._clock() + longest

    def _look_for_page(self) -> None:
        self._ping()
        self.others.look()

    def _ping(self) -> None:
        was_unreachable = bool(self._engine.error)
        try:
            self._engine.ping()
        except (EngineUnavailable, EngineRefused):
            if not was_unreachable:
                self._log.warning(f"NullSplat: {self._engine.error}")
            return
        if was_unreachable:
            self._log.warning("NullSplat: the engine can be reached again")
            self._steps.try_all_at_once()

    def _gone(self, series: str) -> None:
        """Forget a deleted series; the engine need not finish its job."""
        self._drop(series)
        self._cancel_orphans()

    def _drop(self, series: str) -> None:
        self._agenda.drop(series)
        self._steps.forget(series)
        self._was_read(series)
        state = self._store.forget(series)
        if state is not None:
            self._orphans.extend(state.obsolete)
            if state.phase in IN_WORK:
                self._orphans.append(state.key)
                self._log.warning(f"NullSplat: series {series} was deleted while it was {state.phase}")

    def _cancel_orphans(self) -> None:
        # A series that was deleted and sent again needs the same job again.
        self._orphans = [key for key in self._orphans if not self._store.is_wanted(key)]
        while self._orphans:
            try:
                cancel_at_engine(self._engine, self._orphans[-1])
            except EngineUnavailable:
                return
            self._orphans.pop()

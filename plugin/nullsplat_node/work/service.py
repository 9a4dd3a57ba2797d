# SPDX-License-Identifier: AGPL-3.0-or-later
"""The plugin as a whole: takes events, queries and actions, and works in a background thread."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from nullsplat_node import __version__
from nullsplat_node.archive.archive import Archive
from nullsplat_node.engine.client import EngineClient
from nullsplat_node.engine.link import EngineLink
from nullsplat_node.lifecycle.state import INELIGIBLE, PHASES, RESULT, SeriesState
from nullsplat_node.outgoing.errands import Errands
from nullsplat_node.settings import Settings
from nullsplat_node.views import overview
from nullsplat_node.views.metrics import Figures, exposition
from nullsplat_node.views.series import brief, full, iso, settings_shown
from nullsplat_node.work.action_handler import ActionHandler
from nullsplat_node.work.audit import AuditedStore, Write, writer
from nullsplat_node.work.context import Log, Parts
from nullsplat_node.work.deliveries import Deliveries
from nullsplat_node.work.intake import Intake
from nullsplat_node.work.steps import Steps
from nullsplat_node.work.worker import Worker

LONGEST_LIST = 200
"""Series in the status: processed ones first, the latest first."""
JOIN_SECONDS = 2.0
"""Orthanc cuts threads off when it stops, so there is no point in waiting longer."""


class Service:
    """The plugin's functions.

    Args:
        archive: Orthanc.
        settings: checked settings.
        log: where to write what happens.
        record: takes the lines of the audit log; by default they go into `log`.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        archive: Archive,
        settings: Settings,
        log: Log,
        record: Optional[Write] = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        engine = settings.engine
        client = EngineClient(engine.url, settings.secret, engine.timeout, engine.ca_file)
        self._settings = settings
        self._archive = archive
        self._clock = clock
        self._link = EngineLink(client, settings.retry.backoff.first, clock)
        self._store = AuditedStore(archive, clock, record or writer(log, {}))
        parts = Parts(archive, self._link, self._store, settings, clock, log)
        self._intake = Intake(parts)
        self._errands = Errands(self.store_ended)
        deliveries = Deliveries(parts, self._errands)
        self._steps = Steps(parts, self._intake, deliveries)
        self._worker = Worker(parts, self._steps)
        self._actions = ActionHandler(parts, self._store, self._intake, deliveries.withdraw)

    def start(self) -> None:
        """Start the worker thread."""
        self._worker.start()

    def stop(self) -> None:
        """Stop; whatever is in progress resumes after the next start."""
        self._errands.stop()
        self._worker.stop(JOIN_SECONDS)

    def series_changed(self, series: str) -> None:
        """Record that a series became stable or was deleted; returns at once."""
        self._worker.notify(series)

    def store_ended(self, job: str) -> None:
        """Record that one of Orthanc's jobs, or of our own errands, ended; returns at once.

        Only its own series is checked: with thousands in delivery, checking all for each that ends would take all the time.
        """
        series = self._store.waits_for(job)
        if series is not None:
            self._worker.notify(series)

    def status(self) -> Dict[str, Any]:
        """Return the state of the node."""
        states, counted = self._store.latest(PHASES), self._store.counts().phases
        shown = sorted(states.items(), key=lambda item: _interest(item[1]), reverse=True)[:LONGEST_LIST]
        last_scan = self._worker.last_scan
        return {
            "version": __version__,
            "engine": {
                "url": self._settings.engine.url,
                "reachable": self._reachable,
                "version": self._link.version,
                "trouble": self._link.error,
            },
            "last_reconciliation": iso(last_scan) if last_scan else None,
            "counts": {phase: counted.get(phase, 0) for phase in PHASES},
            "series": [
                {"series": series, **brief(state, self._steps.contact(series))} for series, state in shown
            ],
            "settings": settings_shown(self._settings),
        }

    def metrics(self) -> str:
        """Return the node's metrics in Prometheus' text format."""
        last_scan, destinations = self._worker.last_scan, self._settings.rules.destinations
        return exposition(
            Figures(self._store.counts(), destinations, self._reachable, last_scan, self._clock())
        )

    def overview(self, group: str) -> Dict[str, Any]:
        """Return what the status page shows first: the node, the engine and the queue, filtered by `group`."""
        self._worker.look_at_engine()  # its answer will be there the next time
        phases = overview.GROUPS.get(group, frozenset(PHASES))
        counted, states = self._store.counts().phases, self._store.latest(phases)
        left_out = sum(counted.get(phase, 0) for phase in phases) - len(states)
        now, last_scan = self._clock(), self._worker.last_scan
        queue = overview.queue_shown(states, self._steps.contact, now, left_out)
        if group in ("", overview.IN_PROGRESS):
            queue = overview.with_others(queue, self._worker.others.seen, now)
        return {
            "version": __version__,
            "time": iso(now),
            "last_reconciliation": iso(last_scan) if last_scan else None,
            "engine": overview.engine_shown(self._engine_seen()),
            "counts": overview.counts_shown(counted),
            "queue": queue,
        }

    def history(self, series: str) -> Dict[str, Any]:
        """Return everything about one series, with its history by attempt.

        Raises:
            NotInArchive: there is no such series.
        """
        state = self._store.load(self._archive.look(series))
        contact = self._steps.contact(series)
        shown = full(series, state, contact)
        if state is not None:
            shown.update(overview.row(series, state, contact, self._clock()), derived=shown.get("derived"))
            shown["deliveries"] = overview.deliveries(state)
        shown["chapters"] = overview.by_attempt(state.history if state else ())
        return shown

    def plugins(self) -> List[str]:
        """Return the names of Orthanc's plugins."""
        return self._archive.plugins()

    @property
    def _reachable(self) -> bool:
        return bool(self._link.version) and not self._link.error

    def series(self, series: str) -> Dict[str, Any]:
        """Return everything about one series.

        Raises:
            NotInArchive: there is no such series.
        """
        here = self._archive.look(series)
        return full(series, self._store.load(here), self._steps.contact(series))

    def act(self, series: str, action: str) -> Dict[str, Any]:
        """Carry out an action and return the series' state after it.

        Raises:
            NotInArchive: there is no such series.
            NotPossible: it cannot be done now; says why.
        """
        self._actions.act(series, action)
        self._steps.forget(series)
        self._worker.notify(series)
        return self.series(series)

    def move(self, series: str, priority: str) -> Dict[str, Any]:
        """Give a waiting series another priority and return its state after it.

        Raises:
            NotInArchive: there is no such series.
            NotPossible: it is no longer queued, or the engine cannot be reached; says why.
        """
        self._actions.move(series, priority)
        self._steps.try_at_once(series)
        self._worker.notify(series)
        return self.series(series)

    def switch(self, how: str) -> Dict[str, Any]:
        """Pause the engine's queue or resume it, and return the engine's part of the page.

        Raises:
            NotPossible: the engine cannot be reached, or refused; says why.
        """
        self._actions.switch(how)
        return overview.engine_shown(self._engine_seen())

    def _engine_seen(self) -> overview.EngineSeen:
        link = self._link
        return overview.EngineSeen(
            self._settings.engine.url,
            link.info,
            link.checks,
            link.error,
            link.answered_at,
            link.unreachable_since,
        )


def _interest(state: SeriesState) -> Tuple[bool, float]:
    return state.phase not in (INELIGIBLE, RESULT), state.since

# SPDX-License-Identifier: AGPL-3.0-or-later
"""The engine's open jobs that no series here asked for: what other clients ordered there, for the status page.

An order that is the same as one of the series' own, down to its parameters, is the same job, and is not among them.
"""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Tuple

from nullsplat_node.engine.client import EngineRefused, EngineUnavailable
from nullsplat_node.engine.contract import OpenJob
from nullsplat_node.lifecycle.reconciler import Contact
from nullsplat_node.lifecycle.state import RUNNING, SeriesState
from nullsplat_node.work.context import Parts

WHOSE = "ordered at the engine by another client; its result is not sent on from here"


class Others:
    """What others have ordered.

    Attributes:
        seen: what is known of each series that is here, by Orthanc's identifier; as of the last look.
    """

    def __init__(self, parts: Parts) -> None:
        self.seen: Mapping[str, Tuple[SeriesState, Contact]] = {}
        self._archive = parts.archive
        self._engine = parts.engine
        self._store = parts.store
        self._found: Dict[str, str] = {}

    def look(self) -> None:
        """Ask the engine; nothing is seen while it cannot be reached.

        Raises:
            ArchiveError: Orthanc does not answer.
        """
        try:
            jobs = self._engine.ask(lambda client: client.open_jobs())
        except (EngineUnavailable, EngineRefused):
            jobs = ()
        others = [job for job in jobs if not self._store.is_wanted(job.status.key)]
        places = {job.status.key: self._series(job) for job in others}
        self._found = {key: series for key, series in places.items() if series}
        seen: Dict[str, Tuple[SeriesState, Contact]] = {}
        for job in others:
            series = self._found.get(job.status.key)
            if series is not None:
                seen.setdefault(series, (_state(job), _contact(job)))
        self.seen = seen

    def _series(self, job: OpenJob) -> Optional[str]:
        known = self._found.get(job.status.key)
        return known or next(iter(self._archive.find_series(job.series_uid)), None)


def _state(job: OpenJob) -> SeriesState:
    return SeriesState(RUNNING, job.created_at, decision=WHOSE, request=job.request, key=job.status.key)


def _contact(job: OpenJob) -> Contact:
    status = job.status
    return Contact(
        progress=status.progress,
        stage=status.stage,
        note=status.note,
        eta=status.eta,
        position=status.position,
    )

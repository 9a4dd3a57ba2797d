# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ways by which a series gets to a destination: Orthanc's C-STORE, or STOW-RS of our own.

None waits: what is begun is asked about later, by the name that it got.
"""

from __future__ import annotations

from typing import List, Optional, Protocol

from nullsplat_node.archive.archive import Archive, ArchiveTrouble, NotInArchive
from nullsplat_node.lifecycle import delivery_faults
from nullsplat_node.lifecycle.routing import Outcome, Route
from nullsplat_node.outgoing.errands import Errands
from nullsplat_node.outgoing.partners import Partner
from nullsplat_node.outgoing.stow import Instance, Stow, Unreadable


class Carrier(Protocol):
    """A way to a destination; `service` is what people call it."""

    service: str

    def begin(self, route: Route) -> str:
        """Begin to send and return a name for it.

        Raises:
            StoreRefused: it could not even begin.
        """

    def outcome(self, route: Route) -> Optional[Outcome]:
        """Return how it stands, None when nobody knows it any more."""


class DicomCarrier:
    """Orthanc's own store jobs."""

    service = "C-STORE"

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def begin(self, route: Route) -> str:
        """See `Carrier`."""
        return self._archive.begin_store(route.series, route.destination)

    def outcome(self, route: Route) -> Optional[Outcome]:
        """See `Carrier`."""
        job = self._archive.store_job(route.job)
        if job is None or job.state not in ("Success", "Failure"):
            return None if job is None else Outcome()
        if job.state == "Success":
            return Outcome(done=True)
        error = job.error or "Orthanc gives no reason"
        # Of a whole result, as earlier versions sent it, nobody knows what was refused; next it goes series by series.
        return Outcome(error=error, cure=delivery_faults.cure(job.code, error, route) if route.series else "")


class StowCarrier:
    """STOW-RS in the thread of its destination."""

    service = "STOW-RS"

    def __init__(self, partner: Partner, archive: Archive, errands: Errands) -> None:
        self._archive = archive
        self._errands = errands
        self._stow = Stow(partner, self._instances, self._read)

    def begin(self, route: Route) -> str:
        """See `Carrier`."""
        return self._errands.begin(route.destination, lambda: self._stow.send(route))

    def outcome(self, route: Route) -> Optional[Outcome]:
        """See `Carrier`."""
        return self._errands.outcome(route.job)

    def _instances(self, series: str) -> List[Instance]:
        try:
            return self._archive.instances(series)
        except (NotInArchive, ArchiveTrouble) as error:
            raise Unreadable(str(error)) from error

    def _read(self, instance: str) -> bytes:
        if self._errands.stopping.is_set():
            raise Unreadable("Orthanc stops")
        try:
            return self._archive.file(instance)
        except (NotInArchive, ArchiveTrouble) as error:
            raise Unreadable(str(error)) from error

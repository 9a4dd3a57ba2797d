# SPDX-License-Identifier: AGPL-3.0-or-later
"""Transports to a destination: Orthanc's C-STORE, our own STOW-RS, and notifications by webhook.

None blocks: what was started is polled later by its name.
"""

from __future__ import annotations

from typing import Collection, List, Optional, Protocol, Set

from nullsplat_node.archive.archive import Archive, ArchiveError, NotInArchive
from nullsplat_node.lifecycle import delivery_faults
from nullsplat_node.lifecycle.delivery_faults import cure_of_status
from nullsplat_node.lifecycle.routing import COMMITTING, Outcome, Route
from nullsplat_node.lifecycle.state import SeriesState
from nullsplat_node.outgoing.errands import Errands
from nullsplat_node.outgoing.partners import Partner
from nullsplat_node.outgoing.stow import Instance, Stow, Unreadable
from nullsplat_node.outgoing.webhook import Webhook, message_about


class Carrier(Protocol):
    """A transport; `service` is its name in messages."""

    service: str

    def begin(self, route: Route, series: str, state: SeriesState) -> str:
        """Start sending and return a name for it.

        Args:
            series: what the result was made of, and
            state: how it stands with all its routes.
        Raises:
            StoreRefused: it could not be started.
        """

    def outcome(self, route: Route) -> Optional[Outcome]:
        """Return the outcome, None when it is unknown."""

    def withdraw(self, route: Route) -> None:
        """Cancel it; what has arrived stays there."""


class DicomCarrier:
    """Orthanc's own store jobs, and its requests for storage commitment.

    Args:
        commits: destinations that are asked, after all was sent, whether they keep it.
    """

    service = "C-STORE"

    def __init__(self, archive: Archive, commits: Collection[str]) -> None:
        self._archive = archive
        self._commits = commits

    def begin(self, route: Route, series: str, state: SeriesState) -> str:
        """See `Carrier`."""
        return self._archive.begin_store(route.series, route.destination, route.destination in self._commits)

    def outcome(self, route: Route) -> Optional[Outcome]:
        """See `Carrier`."""
        return self._commitment(route) if route.phase == COMMITTING else self._store(route)

    def withdraw(self, route: Route) -> None:
        """See `Carrier`."""
        self._archive.cancel_store(route.job)

    def _store(self, route: Route) -> Optional[Outcome]:
        job = self._archive.store_job(route.job)
        if job is None or job.state not in ("Success", "Failure"):
            return None if job is None else Outcome()
        if job.state == "Success":
            return Outcome(transaction=job.transaction) if job.transaction else Outcome(done=True)
        error = job.error or "Orthanc gives no reason"
        # Of a whole result, as earlier versions sent it, it is unknown what was refused; next it goes series by series.
        commits = route.destination in self._commits
        cure = delivery_faults.cure(job.code, error, route, commits) if route.series else ""
        return Outcome(error=error, cure=cure)

    def _commitment(self, route: Route) -> Optional[Outcome]:
        found = self._archive.commitment(route.job)
        if found is None or not found.reported:
            return None if found is None else Outcome()
        missing = len(self._sop_uids(route.series) - found.kept)
        if not missing and not found.reasons:
            return Outcome(done=True)
        reasons = ", ".join(f"0x{reason:04X}" for reason in sorted(set(found.reasons))) or "none"
        cures = [cure for cure in (cure_of_status(reason, route) for reason in found.reasons) if cure]
        words = f"{missing} instances are not kept, Failure Reason {reasons}"
        return Outcome(error=words, cure=cures[0] if cures else "")

    def _sop_uids(self, series: str) -> Set[str]:
        try:
            return set(self._archive.sop_uids(series))
        except NotInArchive:  # it was deleted here; what was sent is then all that the report names
            return set()


class StowCarrier:
    """STOW-RS in the thread of its destination."""

    service = "STOW-RS"

    def __init__(self, partner: Partner, archive: Archive, errands: Errands) -> None:
        self._archive = archive
        self._errands = errands
        self._stow = Stow(partner, self._instances, self._read)

    def begin(self, route: Route, series: str, state: SeriesState) -> str:
        """See `Carrier`."""
        return self._errands.begin(route.destination, lambda: self._stow.send(route))

    def outcome(self, route: Route) -> Optional[Outcome]:
        """See `Carrier`."""
        return self._errands.outcome(route.job)

    def withdraw(self, route: Route) -> None:
        """See `Carrier`."""
        self._errands.withdraw(route.job)

    def _instances(self, series: str) -> List[Instance]:
        try:
            return self._archive.instances(series)
        except (NotInArchive, ArchiveError) as error:
            raise Unreadable(str(error)) from error

    def _read(self, instance: str) -> bytes:
        if self._errands.stopping.is_set():
            raise Unreadable("Orthanc stops")
        try:
            return self._archive.file(instance)
        except (NotInArchive, ArchiveError) as error:
            raise Unreadable(str(error)) from error


class WebhookCarrier:
    """Notifications that a result is complete, in the thread of their receiver."""

    service = "the notification"

    def __init__(self, webhook: Webhook, errands: Errands) -> None:
        self._webhook = webhook
        self._errands = errands

    def begin(self, route: Route, series: str, state: SeriesState) -> str:
        """See `Carrier`."""
        message = message_about(series, state)
        return self._errands.begin(route.destination, lambda: self._webhook.send(message, route))

    def outcome(self, route: Route) -> Optional[Outcome]:
        """See `Carrier`."""
        return self._errands.outcome(route.job)

    def withdraw(self, route: Route) -> None:
        """See `Carrier`."""
        self._errands.withdraw(route.job)

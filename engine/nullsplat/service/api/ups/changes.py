"""The transactions that change the worklist. The engine performs every step, so that its Transaction UIDs are nobody else's."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from nullsplat.service.api.errors import Refusal
from nullsplat.service.api.limits import client_address
from nullsplat.service.api.ups import answers
from nullsplat.service.audit.entry import Event
from nullsplat.service.audit.log import AuditLog
from nullsplat.service.queue.jobs import Job
from nullsplat.service.worklist.attributes import read_attributes, text
from nullsplat.service.worklist.naming import STATES
from nullsplat.service.worklist.order import order_in, priority_in
from nullsplat.service.worklist.worklist import Worklist

PRIORITY = "00741200"
"""Tag of Scheduled Procedure Step Priority, the only attribute that can be changed."""


@dataclass(frozen=True)
class Changes:
    """What clients do to workitems.

    Attributes:
        worklist: holds them.
        audit: hears of it.
    """

    worklist: Worklist
    audit: AuditLog

    def create(self, request: Request, uid: str | None, message: Any) -> Response:
        """Create Workitem (11.4)."""
        with answers.refusing_in_words(request, answers.EXISTS):
            job, uid, created = self.worklist.create(order_in(message, uid))
        place = {"Location": (url := answers.address(request, uid)), "Content-Location": url}
        if not created:
            refusal = answers.refused(
                request, 409, answers.EXISTS, f"the same work is workitem {uid} already; follow that one"
            )
            refusal.headers.update(place)
            raise refusal
        self.audit.note(Event.REQUESTED, job, _who(request))
        return Response(None, 201, place | answers.warning(request, answers.CREATED_OTHERWISE))

    def update(self, request: Request, uid: str, message: Any) -> Response:
        """Update Workitem (11.6)."""
        job = self.existing(uid)
        with answers.refusing_in_words(request):
            asked = read_attributes(message, ("ScheduledProcedureStepPriority", "ProcedureStepState"))
            priority = priority_in(asked)
        if "ProcedureStepState" in asked:
            why = "ProcedureStepState must not be in an update; use PUT .../state or POST .../cancelrequest"
            raise answers.refused(request, 400, answers.INCONSISTENT, why)
        _refuse_update(request, job)
        if priority not in (None, job.request.get("priority", "normal")):
            with answers.refusing_in_words(request):
                moved = self.worklist.queue.move(job.key, str(priority))
            self.audit.moved(moved or job, _who(request))
        others = set(message[0] if isinstance(message, list) else message) - {PRIORITY}
        phrases = [answers.UPDATED_OTHERWISE] if others else []
        return Response(None, 200, answers.warning(request, *phrases))

    def change_state(self, request: Request, uid: str, message: Any) -> Response:
        """Change Workitem State (11.7): never from outside, by the rules of PS3.4 Table CC.1.1-2."""
        now = STATES[self.existing(uid).state]
        with answers.refusing_in_words(request):
            asked = read_attributes(message, ("TransactionUID", "ProcedureStepState"))
            wanted, transaction = text(asked, "ProcedureStepState"), text(asked, "TransactionUID")
        if wanted not in ("IN PROGRESS", "COMPLETED", "CANCELED"):
            why = "ProcedureStepState must be IN PROGRESS, COMPLETED or CANCELED"
            raise answers.refused(request, 400, answers.INCONSISTENT, why)
        if not transaction:
            why = "the body must have a TransactionUID"
            raise answers.refused(request, 400, answers.NO_TRANSACTION_UID, why)
        if wanted == now and wanted != "IN PROGRESS":
            return Response(None, 200, answers.warning(request, answers.ALREADY.format(now)))
        raise _refused_state(request, now, wanted)

    def cancel(self, request: Request, uid: str) -> Response:
        """Request Cancellation (11.8)."""
        job, done = self.worklist.request_cancellation(self.existing(uid).key)
        if job is None:
            raise not_found()
        if done:
            self.audit.note(Event.CANCELLED, job, _who(request))
        elif STATES[job.state] != "CANCELED":
            why = "its result is complete, or being stored, which is not interrupted: it may no longer be canceled"
            raise answers.refused(request, 409, answers.INCONSISTENT, why)
        phrases = [] if done else [answers.ALREADY.format("CANCELED")]
        return Response(None, 202, answers.warning(request, *phrases))

    def existing(self, uid: str) -> Job:
        """The job of a workitem; raises Refusal."""
        job = self.worklist.job(uid)
        if job is None:
            raise not_found()
        return job


def not_found() -> Refusal:
    """The refusal of a UID that no workitem has."""
    return Refusal(404, "not-found", "there is no workitem with this UID; it may have been over for long")


def _refuse_update(request: Request, job: Job) -> None:
    given, now = request.query_params.get("transaction-uid"), STATES[job.state]
    if now == "IN PROGRESS" and not given:
        why = "the workitem is in progress, and only its performer, this node, may update it"
        raise answers.refused(request, 400, answers.NO_TRANSACTION_UID, why)
    if now in ("SCHEDULED", "IN PROGRESS") and given:
        why = f"no client knows a right one: the workitem is {now} and claimed by nobody but this node"
        raise answers.refused(request, 400, answers.WRONG_TRANSACTION_UID, why)
    if now != "SCHEDULED":
        why = f"the workitem is {now} and may no longer be updated"
        raise answers.refused(request, 400, answers.INCONSISTENT, why)


def _refused_state(request: Request, now: str, wanted: str) -> Refusal:
    if wanted == "IN PROGRESS" and now == "SCHEDULED":
        why = "this node performs its workitems itself, and nobody else may claim one"
        return answers.refused(request, 403, why, why)
    if wanted != "IN PROGRESS" and now == "IN PROGRESS":
        why = "the workitem is claimed by this node; to have it ended, use POST .../cancelrequest"
        return answers.refused(request, 400, answers.WRONG_TRANSACTION_UID, why)
    why = f"a workitem that is {now} cannot become {wanted} by this request"
    return answers.refused(request, 409, answers.INCONSISTENT, why)


def _who(request: Request) -> str:
    return f"client {client_address(request)}"

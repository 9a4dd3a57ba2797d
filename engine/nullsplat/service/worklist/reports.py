"""Event reports as data sets: N-EVENT-REPORT (PS3.7 10.3.1) with the attributes of PS3.4 Table CC.2.4-1."""

from pydicom.dataset import Dataset

from nullsplat.service.queue.events import CANCEL_REQUESTED, EVERYTHING, PROGRESS
from nullsplat.service.queue.jobs import Job
from nullsplat.service.worklist.content import PUSH, progress_information
from nullsplat.service.worklist.naming import STATES
from nullsplat.service.worklist.order import READY

N_EVENT_REPORT_RQ = 0x0100
WITH_DATA_SET = 0x0000
"""Any Command Data Set Type but 0101H."""
STATE_REPORT, CANCEL_REQUEST, PROGRESS_REPORT, STATUS_CHANGE = 1, 2, 3, 4
REQUESTING = "NULLSPLAT"
"""Requesting AE of a cancellation: a request over HTTP names none, so it is the engine, which passes the request on."""


def report_of(what: str, job: Job, uid: str) -> Dataset | None:
    """The report of what happened to a job; None where there is nothing to say of it any more.

    Args:
        what: as in a `JobEvent`: the state that the job came into, that it goes on, or that its cancellation was requested.
        job: as it is now.
        uid: of its workitem.
    """
    if what == PROGRESS:
        return _progress_report(job, uid) if job.state == "running" else None
    if what == CANCEL_REQUESTED:
        report = _report(CANCEL_REQUEST, uid)
        report.RequestingAE = REQUESTING
        return report
    return _state_report(what, job, uid)


def restarted() -> Dataset:
    """SCP Status Change: the engine was restarted, and kept subscriptions and workitems."""
    report = _report(STATUS_CHANGE, EVERYTHING)
    report.SCPStatus = "RESTARTED"
    report.SubscriptionListStatus = report.UnifiedProcedureStepListStatus = "WARM START"
    return report


def _state_report(state: str, job: Job, uid: str) -> Dataset:
    report = _report(STATE_REPORT, uid)
    report.ProcedureStepState, report.InputReadinessState = STATES[state], READY
    if state == job.state and STATES[state] == "CANCELED":
        reasons = progress_information(job, None)
        report.ReasonForCancellation = reasons.ReasonForCancellation
        report.ProcedureStepDiscontinuationReasonCodeSequence = (
            reasons.ProcedureStepDiscontinuationReasonCodeSequence
        )
    return report


def _progress_report(job: Job, uid: str) -> Dataset:
    report = _report(PROGRESS_REPORT, uid)
    report.ProcedureStepProgressInformationSequence = [progress_information(job, None)]
    return report


def _report(kind: int, uid: str) -> Dataset:
    report = Dataset()
    report.AffectedSOPClassUID, report.AffectedSOPInstanceUID = PUSH, uid
    report.CommandField, report.CommandDataSetType = N_EVENT_REPORT_RQ, WITH_DATA_SET
    report.EventTypeID = kind
    return report

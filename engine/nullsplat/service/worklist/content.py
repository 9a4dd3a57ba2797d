"""A job as a workitem: what PS3.4 Table CC.2.5-3 asks for, out of what the engine knows. It knows nothing of patients."""

from datetime import datetime, timedelta
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, CTImageStorage

from nullsplat.service.database.tables import utc
from nullsplat.service.queue.jobs import OPEN, Job
from nullsplat.service.queue.priorities import Place
from nullsplat.service.worklist.attributes import coded
from nullsplat.service.worklist.naming import PRIORITIES, STATES
from nullsplat.service.worklist.order import READY, WORK
from nullsplat.service.worklist.parameters import content_items

PUSH = UID("1.2.840.10008.5.1.4.34.6.1")
"""Unified Procedure Step - Push SOP Class, that of every workitem (PS3.4 CC.3.1.1)."""
WORKLIST = "NullSplat"
CANCELLED = "cancelled on request"


def workitem(job: Job, uid: str, place: Place | None = None, *, performed: bool = True) -> Dataset:
    """The workitem of a job, without Transaction UID.

    Args:
        job: what it tells of.
        uid: its own.
        place: of the job in the queue, where it is known.
        performed: with what was done so far, every instance of the result included.
    """
    shown = Dataset()
    shown.SpecificCharacterSet = "ISO_IR 192"
    shown.SOPClassUID, shown.SOPInstanceUID = PUSH, uid
    shown.update(_relationship(job))
    shown.update(_scheduled(job))
    shown.ProcedureStepState = STATES[job.state]
    shown.ProcedureStepProgressInformationSequence = [progress_information(job, place)]
    if performed and (job.state == "running" or _seconds(job)):
        shown.UnifiedProcedureStepPerformedProcedureSequence = [_performed(job)]
    return shown


def _relationship(job: Job) -> Dataset:
    part = Dataset()
    part.PatientName = part.PatientID = part.PatientBirthDate = part.PatientSex = ""
    part.AdmissionID = part.AdmittingDiagnosesDescription = ""
    part.IssuerOfAdmissionIDSequence = part.AdmittingDiagnosesCodeSequence = []
    part.ReferencedRequestSequence = []
    part.StudyInstanceUID = job.request["study_instance_uid"]
    return part


def _scheduled(job: Job) -> Dataset:
    part = Dataset()
    part.ScheduledProcedureStepPriority = PRIORITIES[job.request.get("priority", "normal")]
    part.ScheduledProcedureStepModificationDateTime = _text(job.updated_at)
    part.ScheduledProcedureStepStartDateTime = _text(job.created_at)
    if job.state in OPEN and job.eta_seconds is not None:
        part.ExpectedCompletionDateTime = _text(utc(job.updated_at) + timedelta(seconds=job.eta_seconds))
    part.ProcedureStepLabel = _label(job.request["parameters"])
    part.WorklistLabel = WORKLIST
    part.ScheduledWorkitemCodeSequence = [coded(WORK)]
    part.ScheduledProcessingParametersSequence = content_items(job.request)
    part.ScheduledStationNameCodeSequence = part.ScheduledStationClassCodeSequence = []
    part.ScheduledStationGeographicLocationCodeSequence = []
    part.CommentsOnTheScheduledProcedureStep = ""
    part.InputReadinessState = READY
    series = _series(job.request["study_instance_uid"], job.request["series_instance_uid"])
    part.InputInformationSequence = [series]
    return part


def _label(parameters: dict[str, Any]) -> str:
    factors = " x ".join(f"{factor:g}" for factor in parameters["scale"])
    return f"CT super-resolution, {parameters['preset']}, {factors}"


def progress_information(job: Job, place: Place | None) -> Dataset:
    """The item of Procedure Step Progress Information Sequence; `place` in the queue, where it is known."""
    part = Dataset()
    part.ProcedureStepProgress = f"{100 * job.progress:.1f}"
    part.ProcedureStepProgressDescription = _described(job, place)
    if STATES[job.state] == "CANCELED":
        part.ProcedureStepCancellationDateTime = _text(job.updated_at)
        part.ReasonForCancellation = (job.failure or {}).get("message", CANCELLED)
        part.ProcedureStepDiscontinuationReasonCodeSequence = [
            coded(codes.DCM.DiscontinuedForUnspecifiedReason)
        ]
    return part


def _described(job: Job, place: Place | None) -> str:
    if job.state == "queued" and place is not None:
        return f"position {place.position} in the queue"
    running = next((stage for stage in job.status()["stages"] if stage["state"] == "running"), None)
    return ": ".join(filter(None, (running["name"], running.get("note")))) if running else ""


def _performed(job: Job) -> Dataset:
    part = Dataset()
    part.PerformedStationNameCodeSequence = []
    begin = utc(job.updated_at) - timedelta(seconds=_seconds(job))
    part.PerformedProcedureStepStartDateTime = _text(max(begin, utc(job.created_at)))
    part.PerformedWorkitemCodeSequence = [coded(WORK)]
    part.PerformedProcessingParametersSequence = content_items(job.request)
    if job.state not in OPEN:
        part.PerformedProcedureStepEndDateTime = _text(job.updated_at)
    part.OutputInformationSequence = _outputs(job.result) if job.state == "succeeded" and job.result else []
    return part


def _outputs(result: dict[str, Any]) -> list[Dataset]:
    derived = {**result, "sop_class_uid": CTImageStorage}
    shown = []
    for one in (derived, *result.get("further_series", ())):
        part = _series(result["study_instance_uid"], one["series_instance_uid"])
        part.ReferencedSOPSequence = [
            _reference(one.get("sop_class_uid", ""), uid) for uid in one["sop_instance_uids"]
        ]
        shown.append(part)
    return shown


def _series(study: str, series: str) -> Dataset:
    part = Dataset()
    part.TypeOfInstances = "DICOM"
    part.StudyInstanceUID, part.SeriesInstanceUID = study, series
    return part


def _reference(sop_class: str, uid: str) -> Dataset:
    part = Dataset()
    part.ReferencedSOPClassUID, part.ReferencedSOPInstanceUID = sop_class, uid
    return part


def _seconds(job: Job) -> float:
    return float(sum(stage.get("seconds", 0.0) for stage in job.stages))


def _text(moment: datetime) -> str:
    return utc(moment).strftime("%Y%m%d%H%M%S.%f+0000")

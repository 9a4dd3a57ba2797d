"""A workitem that somebody creates, read as the order of a job."""

import re
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from nullsplat.core.errors import InputError
from nullsplat.dicom.read.series import fingerprint
from nullsplat.service.contract.messages import fault
from nullsplat.service.worklist.attributes import codes_in, items, read_attributes, text
from nullsplat.service.worklist.naming import PRIORITIES, PRIORITY_OF
from nullsplat.service.worklist.parameters import parameters_in

WORK = codes.DCM.ImageProcessing
"""Of Scheduled Workitem Code Sequence (CID 9231): the only work there is."""
READY = "READY"

_UID = re.compile(r"[0-9.]{1,64}")
_READ = (
    "SOPInstanceUID", "TransactionUID", "ProcedureStepState", "ScheduledProcedureStepPriority", "ScheduledWorkitemCodeSequence",
    "InputReadinessState", "InputInformationSequence", "ScheduledProcessingParametersSequence",
)  # fmt: skip


@dataclass(frozen=True)
class Order:
    """What a new workitem asks for.

    Attributes:
        request: a job_request of the contract.
        any_attempt: whether it leaves the number of the run to the engine.
        uid: that the workitem is to have; None leaves that to the engine, too.
    """

    request: dict[str, Any]
    any_attempt: bool
    uid: str | None = None


def order_in(message: Any, uid: str | None = None) -> Order:
    """The order in the payload of Create Workitem (PS3.18, 11.4.1).

    Args:
        message: the payload.
        uid: of the workitem, where the request's URL has it; else SOP Instance UID in the payload counts.

    Raises:
        InputError: it is no workitem, or none that the engine can do.
    """
    workitem = read_attributes(message, _READ)
    _refuse_other_work(workitem)
    asked = parameters_in(items(workitem, "ScheduledProcessingParametersSequence"))
    attempt = asked.pop("attempt", None)
    request = {**_input_in(workitem), "attempt": 1 if attempt is None else attempt}
    request |= {"parameters": _as_contracted(asked), "priority": priority_in(workitem) or "normal"}
    if problem := fault("job_request", request):
        raise InputError(f"the workitem cannot become a job: {problem}")
    uid = uid or text(workitem, "SOPInstanceUID") or None
    if uid is not None and not UID(uid).is_valid:
        raise InputError("the UID of a workitem must be a valid one (PS3.5 chapter 9)")
    return Order(request, attempt is None, uid)


def priority_in(workitem: Dataset) -> str | None:
    """The contract's name of Scheduled Procedure Step Priority; None where there is none.

    Raises:
        InputError: there is no such priority.
    """
    shown = text(workitem, "ScheduledProcedureStepPriority")
    if shown and shown not in PRIORITY_OF:
        raise InputError(f"ScheduledProcedureStepPriority must be one of {', '.join(PRIORITIES.values())}")
    return PRIORITY_OF.get(shown)


def _refuse_other_work(workitem: Dataset) -> None:
    if text(workitem, "ProcedureStepState") != "SCHEDULED":
        raise InputError("ProcedureStepState of a new workitem must be SCHEDULED")
    if text(workitem, "TransactionUID"):
        raise InputError("TransactionUID of a new workitem must be empty: nobody has claimed it yet")
    if (WORK.value, WORK.scheme_designator) not in codes_in(workitem, "ScheduledWorkitemCodeSequence"):
        raise InputError(
            f"ScheduledWorkitemCodeSequence must be ({WORK.value}, {WORK.scheme_designator}, {WORK.meaning}), the only work "
            "of this worklist"
        )
    if text(workitem, "InputReadinessState") not in ("", READY):
        raise InputError("InputReadinessState must be READY; create the workitem when the series is complete")


def _input_in(workitem: Dataset) -> dict[str, str]:
    found = items(workitem, "InputInformationSequence")
    if len(found) != 1:
        raise InputError(
            f"InputInformationSequence must have one item, the series to refine; it has {len(found)}"
        )
    (series,) = found
    study_uid, series_uid = text(series, "StudyInstanceUID"), text(series, "SeriesInstanceUID")
    instances = {text(item, "ReferencedSOPInstanceUID") for item in items(series, "ReferencedSOPSequence")}
    if not instances or not all(map(_UID.fullmatch, (study_uid, series_uid, *instances))):
        raise InputError(
            "the item of InputInformationSequence must have StudyInstanceUID, SeriesInstanceUID and, in "
            "ReferencedSOPSequence, ReferencedSOPInstanceUID of each instance of the series"
        )
    return {
        "study_instance_uid": study_uid,
        "series_instance_uid": series_uid,
        "fingerprint": fingerprint(series_uid, instances),
    }


def _as_contracted(asked: dict[str, Any]) -> dict[str, Any]:
    """With the defaults written, and left out, as the plugin does: the same order has the same key, whoever gives it."""
    parameters = {"seed": 0, "samples": 1, **asked}
    unsaid = {"slice_profile": "auto", "allow_gaps": False}
    return {name: value for name, value in parameters.items() if name not in unsaid or value != unsaid[name]}

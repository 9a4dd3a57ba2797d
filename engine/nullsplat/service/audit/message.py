"""Audit messages of DICOM PS3.15 A.5 from entries of the audit log.

What the standard has an event for is told as that event (A.5.3): Application Activity, DICOM Instances Transferred and User
Authentication. All else that happens to a job or the queue has no event there and is told with a code of our own.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from nullsplat.service.audit.entry import Entry, Event
from nullsplat.service.audit.transfer import Transfer

OURS = "99NULLSPLAT"
APPLICATION_SERVER = "4"
SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE = "0", "4", "8"
CLIENT = "client "
"""What the name of who asked over the network begins with."""
PERSON, SYSTEM_OBJECT = "1", "2"
PATIENT_ROLE, REPORT_ROLE, JOB_ROLE = "1", "3", "20"


class Code(NamedTuple):
    """A coded value: the code, its scheme and its meaning."""

    value: str
    scheme: str
    meaning: str


APPLICATION_ACTIVITY = Code("110100", "DCM", "Application Activity")
INSTANCES_TRANSFERRED = Code("110104", "DCM", "DICOM Instances Transferred")
USER_AUTHENTICATION = Code("110114", "DCM", "User Authentication")
APPLICATION_START = Code("110120", "DCM", "Application Start")
APPLICATION_STOP = Code("110121", "DCM", "Application Stop")
LOGIN = Code("110122", "DCM", "Login")
APPLICATION = Code("110150", "DCM", "Application")
DESTINATION = Code("110152", "DCM", "Destination Role ID")
SOURCE = Code("110153", "DCM", "Source Role ID")
STUDY = Code("110180", "DCM", "Study Instance UID")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")
JOB = Code("job", OURS, "Job")
EVENTS: Mapping[Event, tuple[Code, Code | None, str]] = {
    Event.UP: (APPLICATION_ACTIVITY, APPLICATION_START, "E"),
    Event.DOWN: (APPLICATION_ACTIVITY, APPLICATION_STOP, "E"),
    Event.DENIED: (USER_AUTHENTICATION, LOGIN, "E"),
    Event.FETCHED: (INSTANCES_TRANSFERRED, None, "C"),
    Event.STORED: (INSTANCES_TRANSFERRED, None, "C"),
}
"""The event, its type and its action, where the standard has one."""
ACTIONS = {Event.REQUESTED: "C", Event.CANCELLED: "D", Event.RELEASED: "U", Event.MOVED: "U"}
"""Of our own events; all others execute something."""
OUTCOMES = {Event.DENIED: MINOR_FAILURE, Event.FAILED: SERIOUS_FAILURE}


@dataclass(frozen=True)
class Reporter:
    """The process that reports.

    Attributes:
        name: its own among those of the node, such as `worker gpu0`.
        host: the machine's name.
        archive: DICOMweb root of the archive.
    """

    name: str
    host: str
    archive: str


def outcome(entry: Entry) -> str:
    """EventOutcomeIndicator: 0 success, 4 minor failure, 8 serious failure."""
    return OUTCOMES.get(entry.what, SUCCESS)


def audit_message(entry: Entry, when: datetime, reporter: Reporter, transfer: Transfer | None = None) -> str:
    """The XML of one message.

    Args:
        when: when it happened, with its time zone.
        transfer: the images that were fetched or stored, where they could be looked at.
    Source: DICOM PS3.15, A.5.1 (schema) and A.5.3 (events).
    """
    root = ET.Element("AuditMessage")
    _identify(root, entry, when)
    if entry.what in (Event.FETCHED, Event.STORED):
        _add_both_ends(root, entry, reporter)
    else:
        _add_actor(root, entry, reporter)
    source = ET.SubElement(
        root, "AuditSourceIdentification", AuditSourceID=f"{reporter.host} {reporter.name}"
    )
    ET.SubElement(source, "AuditSourceTypeCode", {"csd-code": APPLICATION_SERVER})
    if transfer is not None:
        _add_images(root, transfer)
    if entry.job:
        _add_job(root, entry)
    return ET.tostring(root, encoding="unicode")


def _identify(root: ET.Element, entry: Entry, when: datetime) -> None:
    ours = (Code(entry.what, OURS, entry.what.capitalize()), None, ACTIONS.get(entry.what, "E"))
    event, kind, action = EVENTS.get(entry.what, ours)
    identification = ET.SubElement(
        root,
        "EventIdentification",
        EventActionCode=action,
        EventDateTime=when.isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=outcome(entry),
    )
    _add_code(identification, "EventID", event)
    if kind is not None:
        _add_code(identification, "EventTypeCode", kind)
    if entry.code:
        ET.SubElement(identification, "EventOutcomeDescription").text = entry.code


def _add_actor(root: ET.Element, entry: Entry, reporter: Reporter) -> None:
    """Who did it; of a person or program that asked over the network also the process that answered."""
    if entry.what in (Event.UP, Event.DOWN):
        _add_participant(root, entry.who, reporter.host, APPLICATION, asked=False)
    elif entry.who.startswith(CLIENT):
        _add_participant(root, entry.who, entry.who.removeprefix(CLIENT), None, asked=True)
        _add_participant(root, reporter.name, reporter.host, APPLICATION, asked=False)
    else:
        _add_participant(root, entry.who, reporter.host, APPLICATION, asked=True)


def _add_both_ends(root: ET.Element, entry: Entry, reporter: Reporter) -> None:
    """The archive and the worker, which asked for it either way."""
    fetched = entry.what == Event.FETCHED
    archive_role, worker_role = (SOURCE, DESTINATION) if fetched else (DESTINATION, SOURCE)
    host = urlsplit(reporter.archive).hostname or ""
    _add_participant(root, reporter.archive, host, archive_role, asked=False)
    _add_participant(root, entry.who, reporter.host, worker_role, asked=True)


def _add_participant(root: ET.Element, user: str, host: str, role: Code | None, *, asked: bool) -> None:
    participant = ET.SubElement(
        root,
        "ActiveParticipant",
        UserID=user,
        UserIsRequestor=str(asked).lower(),
        NetworkAccessPointID=host,
        NetworkAccessPointTypeCode="2" if _is_address(host) else "1",
    )
    if role is not None:
        _add_code(participant, "RoleIDCode", role)


def _add_images(root: ET.Element, transfer: Transfer) -> None:
    study = _add_object(root, transfer.study, STUDY, SYSTEM_OBJECT, REPORT_ROLE)
    description = ET.SubElement(study, "ParticipantObjectDescription")
    for sop_class, number in transfer.instances.items():
        ET.SubElement(description, "SOPClass", UID=sop_class, NumberOfInstances=str(number))
    _add_object(root, transfer.patient, PATIENT_NUMBER, PERSON, PATIENT_ROLE)


def _add_job(root: ET.Element, entry: Entry) -> None:
    job = _add_object(root, entry.job, JOB, SYSTEM_OBJECT, JOB_ROLE)
    for name, value in entry.facts().items():
        if name not in ("what", "who", "job", "code"):
            ET.SubElement(
                job, "ParticipantObjectDetail", type=name, value=b64encode(value.encode()).decode("ascii")
            )


def _add_object(root: ET.Element, identifier: str, kind: Code, type_code: str, role: str) -> ET.Element:
    """An object; the schema asks for a name, and there is none that tells more than the identifier but the patient's own."""
    added = ET.SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=identifier,
        ParticipantObjectTypeCode=type_code,
        ParticipantObjectTypeCodeRole=role,
    )
    _add_code(added, "ParticipantObjectIDTypeCode", kind)
    ET.SubElement(added, "ParticipantObjectName").text = identifier
    return added


def _add_code(parent: ET.Element, name: str, code: Code) -> None:
    attributes = {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning}
    ET.SubElement(parent, name, attributes)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

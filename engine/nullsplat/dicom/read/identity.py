"""Whose images these are: one patient, one study, and every instance once.

Messages say which slices differ and never what stands in them.
Source: PS3.3 C.7.1.1 (Patient), C.7.2.1 (General Study), C.12.1 (SOP Common).
"""

from collections.abc import Callable, Sequence

from pydicom.dataset import Dataset

from nullsplat.dicom.headers import named, required_uid, text
from nullsplat.dicom.refusals import Refusal, refuse


def check_identity(headers: Sequence[Dataset]) -> None:
    """Refuse instances of several patients or studies, and those that come twice.

    Args:
        headers: one for each instance.
    Raises:
        IneligibleSeries: `mixed-patient`, `mixed-study`, `duplicate-instances`; `incomplete-header`, a UID is missing.
    """
    for header in headers:
        required_uid(header, "StudyInstanceUID")
    _check_one_patient(headers)
    other = _first_other(headers, lambda header: text(header, "StudyInstanceUID"))
    if other is not None:
        refuse(
            Refusal.MIXED_STUDY,
            f"the slices of one study are needed, {named(headers[0])} and {named(other)} are of two; "
            "give one Series Instance UID to one study only",
        )
    _check_instances(headers)


def _check_one_patient(headers: Sequence[Dataset]) -> None:
    """An empty name or date of birth says nothing; an empty ID is another one, as it is for an archive."""
    checks: tuple[tuple[str, Callable[[Dataset], str], bool], ...] = (
        ("Patient ID", lambda header: text(header, "PatientID"), True),
        ("Patient's Name", _name, False),
        ("Patient's Birth Date", lambda header: text(header, "PatientBirthDate"), False),
    )
    for title, value, counts_empty in checks:
        said = [header for header in headers if counts_empty or value(header)]
        other = _first_other(said, value)
        if other is not None:
            refuse(
                Refusal.MIXED_PATIENT,
                f"the slices of one patient are needed, {named(said[0])} and {named(other)} differ in {title}; "
                "if they are of one patient, correct the headers",
            )


def _name(header: Dataset) -> str:
    """As it is compared: the alphabetic form, without letter case, blanks, and components that are left empty."""
    return str(header.get("PatientName") or "").partition("=")[0].upper().rstrip("^ ")


def _first_other(headers: Sequence[Dataset], value: Callable[[Dataset], str]) -> Dataset | None:
    return next((header for header in headers if value(header) != value(headers[0])), None)


def _check_instances(headers: Sequence[Dataset]) -> None:
    seen: dict[str, Dataset] = {}
    for header in headers:
        first = seen.setdefault(text(header, "SOPInstanceUID"), header)
        if first is not header:
            refuse(
                Refusal.DUPLICATE_INSTANCES,
                f"every instance must come once, {named(header)} has the SOP Instance UID of {named(first)}; "
                "if it is a copy remove it, else let the scanner give it a UID of its own",
            )

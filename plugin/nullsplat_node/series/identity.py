# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether the series is of one patient, with valid and distinct identifiers.

Orthanc keeps patients and studies apart by their identifiers; names and birth dates it does not compare. Messages say
which slices differ and never what stands in them.
Source: PS3.3 C.7.1.1 (Patient); PS3.5 9.1 (UID), whose ban of leading zeros the engine does not enforce either.
"""

from __future__ import annotations

import re
from typing import Callable, Sequence

from nullsplat_node.series.refusal import Refused
from nullsplat_node.series.tags import Tags, named, text

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


def identified(instances: Sequence[Tags]) -> None:
    """Refuse malformed identifiers, and instances of several patients.

    Raises:
        Refused: `incomplete-header` or `mixed-patient`.
    """
    for tags in instances:
        for keyword in ("SeriesInstanceUID", "SOPInstanceUID", "StudyInstanceUID"):
            valid_uid(tags, keyword)
    _same(instances, "Patient's Name", _name)
    _same(instances, "Patient's Birth Date", lambda tags: text(tags, "PatientBirthDate"))


def valid_uid(tags: Tags, keyword: str) -> None:
    """Refuse an identifier that is missing or malformed.

    Raises:
        Refused: `incomplete-header`.
    """
    uid = text(tags, keyword)
    if len(uid) > 64 or not _UID.fullmatch(uid):
        raise Refused(
            "incomplete-header",
            f"every slice needs a valid {keyword}, in {named(tags)} it is missing or malformed; send the series again",
        )


def _same(instances: Sequence[Tags], title: str, value: Callable[[Tags], str]) -> None:
    """Refuse two values; an empty one says nothing."""
    said = [tags for tags in instances if value(tags)]
    for tags in said:
        if value(tags) != value(said[0]):
            raise Refused(
                "mixed-patient",
                f"the slices of one patient are needed, {named(said[0])} and {named(tags)} differ in {title}; "
                "if they are of one patient, correct the headers",
            )


def _name(tags: Tags) -> str:
    """Return it as it is compared: the alphabetic form, without letter case, blanks and empty components at the end."""
    return text(tags, "PatientName").partition("=")[0].upper().rstrip("^ ")

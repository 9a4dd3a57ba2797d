"""Values of a source as a derived object may carry them: sound ones as they are, some repaired, the others left out.

Readers trip over an impossible date or a window without width, and a new object that repeats them is a new fault. What
has one meaning only is written as the standard wants it; what has none is left out. Names, identifiers and other texts
pass as they came: they say who the patient is, and a shortened identifier would be somebody else's.
Source: PS3.5 6.2 (Value Representation), PS3.3 C.7 and C.8.2.1 (enumerated values).
"""

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.valuerep import format_number_as_ds

from nullsplat.dicom.headers import is_uid

_DATE = re.compile(r"(\d{4})([.-]?)(\d{2})\2(\d{2})")
_TIME = re.compile(r"(\d{2})(?::?([0-5]\d)(?::?([0-5]\d|60)(\.\d{1,6})?)?)?")
_DATE_TIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?")
_OFFSET = re.compile(r"([+-](?:0\d|1[0-4])):?([0-5]\d)")
_AGE = re.compile(r"\d{3}[DWMY]")
_CODE_STRING = re.compile(r"[A-Z0-9_ ]{0,16}")
_LONGEST_DS = 16
_ENUMERATED = {
    "PatientSex": "M F O",
    "PatientSexNeutered": "ALTERED UNALTERED",
    "SmokingStatus": "YES NO UNKNOWN",
    "Laterality": "R L",
    "PatientPosition": "HFP HFS HFDR HFDL FFDR FFDL FFP FFS LFP LFS RFP RFS AFDR AFDL PFDR PFDL",
    "AnatomicalOrientationType": "BIPED QUADRUPED",
    "QualityControlSubject": "YES NO",
    "QualityControlImage": "YES NO BOTH",
    "BurnedInAnnotation": "YES NO",
    "RecognizableVisualFeatures": "YES NO",
    "PatientIdentityRemoved": "YES NO",
    "LongitudinalTemporalInformationModified": "UNMODIFIED MODIFIED REMOVED",
    "RotationDirection": "CW CC",
}
"""What code strings of a closed list may say."""


def repaired(element: DataElement) -> DataElement | None:
    """The element as it may be carried, None if it may not be.

    Args:
        element: decoded, see `headers.decode`.
    """
    if not dictionary_has_tag(element.tag) or element.VR not in dictionary_VR(element.tag).split(" or "):
        return None
    if element.VR == "SQ":
        return _repaired_sequence(element)
    if element.is_empty:
        return element
    check = _offset if element.keyword == "TimezoneOffsetFromUTC" else _CHECKS.get(element.VR)
    if check is None:
        return element
    values = list(element.value) if isinstance(element.value, MultiValue) else [element.value]
    sound = [check(value) for value in values]
    if any(value is None for value in sound) or not _is_listed(element.keyword, sound):
        return None
    return DataElement(element.tag, element.VR, sound if len(sound) > 1 else sound[0])


def windows(source: Dataset) -> tuple[list[Any], list[Any]]:
    """Centres and widths of the windows that can be shown: in pairs, and at least 1 HU wide (PS3.3 C.11.2.1.2)."""
    centres, widths = (_listed(source, keyword) for keyword in ("WindowCenter", "WindowWidth"))
    pairs = [pair for pair in zip(centres, widths, strict=False) if math.isfinite(pair[0]) and pair[1] >= 1]
    return [centre for centre, _ in pairs], [width for _, width in pairs]


def is_date_time(text: str) -> bool:
    """Whether this is a point in time that a DT can hold."""
    match = _DATE_TIME.fullmatch(text)
    return match is not None and _date(match[1]) is not None and (not match[2] or _time(match[2]) is not None)


def _listed(source: Dataset, keyword: str) -> list[Any]:
    value = source.get(keyword)
    values = list(value) if isinstance(value, MultiValue) else [value]
    return [one for one in values if isinstance(one, int | float)]


def _repaired_sequence(element: DataElement) -> DataElement | None:
    """The sequence with repaired items; None where nothing is left of it. An item that must be a code must say one."""
    items = [_repaired_item(item) for item in element.value]
    kept = [item for item in items if len(item) and (not _is_coded(element.keyword) or _says_a_code(item))]
    return DataElement(element.tag, "SQ", Sequence(kept)) if kept else None


def _repaired_item(item: Dataset) -> Dataset:
    found = Dataset()
    for element in item:
        sound = repaired(element)
        if sound is not None:
            found[sound.tag] = sound
    return found


def _is_coded(keyword: str) -> bool:
    return keyword.endswith("CodeSequence") or keyword in (
        "AnatomicRegionSequence", "PrimaryAnatomicStructureSequence", "ContrastBolusAgentSequence",
        "ContrastBolusAdministrationRouteSequence",
    )  # fmt: skip


def _says_a_code(item: Dataset) -> bool:
    has_value = any(item.get(keyword) for keyword in ("CodeValue", "LongCodeValue", "URNCodeValue"))
    return has_value and bool(item.get("CodeMeaning"))


def _is_listed(keyword: str, values: list[Any]) -> bool:
    return keyword not in _ENUMERATED or all(value in _ENUMERATED[keyword].split() for value in values)


def _date(value: object) -> str | None:
    match = _DATE.fullmatch(str(value).strip())
    if match is None:
        return None
    compact = match[1] + match[3] + match[4]
    try:
        datetime.strptime(compact, "%Y%m%d")
    except ValueError:
        return None
    return compact


def _time(value: object) -> str | None:
    match = _TIME.fullmatch(str(value).strip())
    if match is None or int(match[1]) > 23:
        return None
    return "".join(part for part in match.groups() if part)


def _offset(value: object) -> str | None:
    match = _OFFSET.fullmatch(str(value).strip())
    return match and match[1] + match[2]


def _code_string(value: object) -> str | None:
    code = str(value).strip().upper()
    return code if _CODE_STRING.fullmatch(code) else None


def _whole(value: Any) -> int | None:
    number = float(value)
    return int(number) if number == int(number) and abs(number) < 2**31 else None


def _decimal(value: Any) -> Any:
    """A DS that has 16 characters, as few scanners' do."""
    number = float(value)
    if not math.isfinite(number):
        return None
    written = str(getattr(value, "original_string", value)).strip()
    return value if len(written) <= _LONGEST_DS else type(value)(format_number_as_ds(number))


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "UI": lambda value: value if is_uid(str(value)) else None,
    "DA": _date,
    "TM": _time,
    "DT": lambda value: value if is_date_time(str(value).strip()) else None,
    "AS": lambda value: value if _AGE.fullmatch(str(value)) else None,
    "CS": _code_string,
    "IS": lambda value: _whole(value) if math.isfinite(value) else None,
    "DS": _decimal,
    "FD": lambda value: value if math.isfinite(value) else None,
    "FL": lambda value: value if math.isfinite(value) else None,
}
"""A sound value for each, or None; representations that are not here pass as they came."""

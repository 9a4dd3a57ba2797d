"""Attributes in the DICOM JSON model (PS3.18 annex F): reading what somebody sent, and no more of it than is needed."""

import math
from collections.abc import Iterable
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code

from nullsplat.core.errors import InputError


def read_attributes(message: Any, keywords: Iterable[str]) -> Dataset:
    """Those attributes of a data set that are asked for; all others, such as a patient's name, are not even read.

    Args:
        message: an object of the DICOM JSON model, or a list of one.
        keywords: which attributes.

    Raises:
        InputError: it is neither, or one of these attributes is malformed.
    """
    if isinstance(message, list) and len(message) == 1:
        (message,) = message
    if not isinstance(message, dict):
        raise InputError("the body must be one data set of the DICOM JSON model (PS3.18 annex F)")
    found = Dataset()
    for keyword in keywords:
        tag = f"{tag_for_keyword(keyword):08X}"
        if tag not in message:
            continue
        try:
            found.update(Dataset.from_json({tag: message[tag]}))
        except Exception:  # noqa: BLE001 - pydicom raises whatever comes up, with what was sent in its words
            raise InputError(f"{keyword} must be as the DICOM JSON model says (PS3.18 annex F)") from None
    return found


def text(dataset: Dataset, keyword: str) -> str:
    """The single value of an attribute, empty where there is none.

    Raises:
        InputError: it is something else.
    """
    value = dataset.get(keyword)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{keyword} must have one value, and be a text, a code string or a UID")
    return str(value or "")


def number(dataset: Dataset, keyword: str) -> float:
    """The single number of an attribute; whole ones are integers.

    Raises:
        InputError: it is something else.
    """
    try:
        return finite(dataset.get(keyword))
    except (TypeError, ValueError):
        raise InputError(f"{keyword} must be one number") from None


def finite(value: Any) -> float:
    """A number; whole ones are integers, as the plugin writes them, so that equal orders have equal keys.

    Raises:
        TypeError, ValueError: it is none.
    """
    given = float(value)
    if not math.isfinite(given):
        raise ValueError(value)
    return int(given) if given.is_integer() else given


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence, none where it is missing.

    Raises:
        InputError: it is something else.
    """
    value = dataset.get(keyword)
    if value is not None and not isinstance(value, Sequence):
        raise InputError(f"{keyword} must be a sequence")
    return list(value or ())


def codes_in(dataset: Dataset, keyword: str) -> list[tuple[str, str]]:
    """Code Value and Coding Scheme Designator of the items of a code sequence.

    Raises:
        InputError: it is something else.
    """
    found = items(dataset, keyword)
    return [(text(item, "CodeValue"), text(item, "CodingSchemeDesignator")) for item in found]


def coded(code: Code) -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    return item

"""What a header says, read in a way that bad values cannot break.

pydicom converts values when they are first looked at, so a damaged value would raise far from the file it
came from. `decode` converts all of them at once and leaves out what cannot be converted; afterwards a missing
and an unreadable attribute are the same thing.
"""

import math
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from nullsplat.dicom.refusals import Refusal, refuse

PARSING_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    NotImplementedError,
    ArithmeticError,
    EOFError,
    RecursionError,
    RuntimeError,
    struct.error,
    BytesLengthException,
)
"""What pydicom and its decoders raise on damaged input; they have no error tree of their own."""

_BULK_GROUPS = frozenset({0x7FE0, 0x5400, 0xFFFC, 0xFFFA})
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Let pydicom read values that break the rules of their representation, which real archives hold."""
    with config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode(dataset: Dataset) -> Dataset:
    """A copy with every public value converted, without pixels, overlays, private and unreadable attributes."""
    with quiet_pydicom():
        header = _decode_item(dataset)
        header.file_meta = FileMetaDataset(_decode_item(getattr(dataset, "file_meta", Dataset())))
    return header


def _decode_item(dataset: Dataset) -> Dataset:
    header = Dataset()
    for tag in list(dataset.keys()):
        element = _decode_element(dataset, BaseTag(tag))
        if element is not None:
            header[element.tag] = element
    return header


def _decode_element(dataset: Dataset, tag: BaseTag) -> DataElement | None:
    if tag.is_private or tag.group in _BULK_GROUPS or 0x6000 <= tag.group <= 0x60FF:
        return None
    try:
        element = dataset[tag]
        if element.VR in ("DS", "IS") and not _holds_numbers(element):
            return None
        if element.VR != "SQ":
            return DataElement(tag, element.VR, element.value, already_converted=True)
        return DataElement(tag, "SQ", Sequence([_decode_item(item) for item in element.value]))
    except (*PARSING_ERRORS, OSError):  # a sequence is parsed as if it were a file
        return None


def _holds_numbers(element: DataElement) -> bool:
    """Whether a number written as text is one; pydicom hands on what is not as text."""
    values = element.value if isinstance(element.value, MultiValue) else [element.value]
    return all(value is None or value == "" or isinstance(value, int | float | Decimal) for value in values)


def text(header: Dataset, keyword: str) -> str:
    """A value as text without padding, empty where it is missing; several values are joined by backslashes."""
    value = header.get(keyword)
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return (
        "\\".join(str(part).strip() for part in value) if hasattr(value, "__iter__") else str(value).strip()
    )


def words(header: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of an attribute such as Image Type, in capitals."""
    joined = text(header, keyword).upper()
    return tuple(joined.split("\\")) if joined else ()


def printable(value: str) -> str:
    """A code string fit for a message; anything else could be patient data in the wrong place."""
    return f"'{value}'" if _CODE_STRING.fullmatch(value) else "something else" if value else "nothing"


def named(header: Dataset) -> str:
    """What people find the slice by: its Instance Number, or the number of the frame, and its file where it has one."""
    kind = "frame" if "ReferencedFrameNumber" in header else "instance"
    file, index = getattr(header, "file_name", ""), number(header, "InstanceNumber")
    known = f"{kind} {index:g}" if index is not None else "" if file else "a slice without Instance Number"
    return f"{known} ({file})" if known and file else known or file


def number(header: Dataset, keyword: str) -> float | None:
    """A single finite or infinite number, None where it is missing or is no number."""
    values = numbers(header, keyword)
    return values[0] if values and len(values) == 1 else None


def numbers(header: Dataset, keyword: str) -> tuple[float, ...] | None:
    """All numbers of an attribute, None where it is missing or holds something else."""
    value = header.get(keyword)
    if value is None or isinstance(value, str | bytes):
        return None
    try:
        return tuple(float(part) for part in value) if hasattr(value, "__iter__") else (float(value),)
    except PARSING_ERRORS:
        return None


def required_numbers(header: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """`count` finite numbers.

    Raises:
        IneligibleSeries: `incomplete-header`, the attribute is missing or holds anything else.
    """
    values = numbers(header, keyword)
    if values is None or len(values) != count or not all(math.isfinite(value) for value in values):
        came = "is missing or unreadable" if values is None else "holds other values"
        refuse(
            Refusal.INCOMPLETE_HEADER,
            f"every slice needs {count} finite number(s) in {keyword}, in {named(header)} it {came}; export the series again",
        )
    return values


def is_uid(value: str) -> bool:
    """Whether this identifies something: digits and dots, with the leading zeros that some makers write.

    PS3.5 9.1 forbids those zeros, but archives file the study under them, and a corrected UID would be another study's.
    """
    return len(value) <= 64 and _UID.fullmatch(value) is not None


def required_uid(header: Dataset, keyword: str) -> str:
    """A well-formed unique identifier.

    Raises:
        IneligibleSeries: `incomplete-header`, the identifier is missing or malformed.
    """
    uid = text(header, keyword)
    if not is_uid(uid):
        refuse(
            Refusal.INCOMPLETE_HEADER,
            f"every slice needs a valid {keyword}, in {named(header)} it is missing or malformed; export the series again",
        )
    return uid

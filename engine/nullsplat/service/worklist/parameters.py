"""A job's parameters as content items (PS3.3 Table 10-2) of Scheduled Processing Parameters Sequence, and back."""

from collections.abc import Callable, Mapping
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from nullsplat.core.errors import InputError
from nullsplat.dicom.write.codes import ORDER_PARAMETERS, SCHEME
from nullsplat.service.worklist.attributes import coded, codes_in, finite, number, text

NUMBERS = ("seed", "samples", "attempt")
ANSWERS = {codes.SCT.Yes.value: True, codes.SCT.No.value: False}

_NAMES = {code.value: name for name, code in ORDER_PARAMETERS.items()}


def content_items(request: Mapping[str, Any]) -> list[Dataset]:
    """What a job_request of the contract asks for, as content items."""
    parameters = {**request["parameters"], "attempt": request["attempt"]}
    return [_content_item(name, parameters[name]) for name in ORDER_PARAMETERS if name in parameters]


def parameters_in(sequence: list[Dataset]) -> dict[str, Any]:
    """What content items ask for, by the contract's names; values are not judged.

    Raises:
        InputError: an item is unknown, there twice or has no value.
    """
    found: dict[str, Any] = {}
    for item in sequence:
        value, scheme = next(iter(codes_in(item, "ConceptNameCodeSequence")), ("", ""))
        name = _NAMES.get(value) if scheme == SCHEME else None
        if name is None or name in found:
            raise InputError(
                f"each item of ScheduledProcessingParametersSequence must be named by another code of {SCHEME}, one of "
                f"{', '.join(_NAMES)}"
            )
        found[name] = _READERS.get(name, _read_text)(item)
    return found


def _content_item(name: str, value: Any) -> Dataset:
    item = Dataset()
    item.ConceptNameCodeSequence = [coded(ORDER_PARAMETERS[name])]
    if name in NUMBERS:
        item.ValueType, item.NumericValue = "NUMERIC", str(value)
        item.MeasurementUnitsCodeSequence = [coded(codes.UCUM.NoUnits)]
    elif name == "allow_gaps":
        answer: Code = codes.SCT.Yes if value else codes.SCT.No
        item.ValueType, item.ConceptCodeSequence = "CODE", [coded(answer)]
    else:
        item.ValueType = "TEXT"
        item.TextValue = ",".join(f"{factor:g}" for factor in value) if name == "scale" else value
    return item


def _read_text(item: Dataset) -> str:
    return text(item, "TextValue")


def _read_scale(item: Dataset) -> list[float]:
    try:
        return [finite(factor) for factor in text(item, "TextValue").split(",")]
    except ValueError:
        raise InputError("SCALE must be the factors along z, y, x, such as 4,1,1") from None


def _read_answer(item: Dataset) -> bool:
    for value, _ in codes_in(item, "ConceptCodeSequence"):
        if value in ANSWERS:
            return ANSWERS[value]
    raise InputError("ALLOWGAPS must be (373066001, SCT, Yes) or (373067005, SCT, No)")


_READERS: dict[str, Callable[[Dataset], Any]] = {
    "scale": _read_scale,
    "allow_gaps": _read_answer,
    **dict.fromkeys(NUMBERS, lambda item: number(item, "NumericValue")),
}

"""The named reasons for which a series is refused."""

from enum import StrEnum
from typing import NoReturn

from nullsplat.core.errors import IneligibleSeries


class Refusal(StrEnum):
    """Codes of `IneligibleSeries`; stable, because people and programs filter by them."""

    OURS = "ours"
    NOT_CT = "not-ct"
    LOCALIZER = "localizer"
    DERIVED = "derived"
    ENHANCED = "enhanced-not-supported"
    MULTI_STACK = "multi-stack"
    MULTI_ENERGY = "multi-energy"
    FOR_PROCESSING = "for-processing"
    NOT_HOUNSFIELD = "not-hounsfield"
    MIXED_SERIES = "mixed-series"
    MIXED_FRAME_OF_REFERENCE = "mixed-frame-of-reference"
    MIXED_ORIENTATION = "mixed-orientation"
    INCONSISTENT_SIZE = "inconsistent-size"
    GANTRY_TILT = "gantry-tilt"
    TOO_FEW_SLICES = "too-few-slices"
    MIXED_PATIENT = "mixed-patient"
    MIXED_STUDY = "mixed-study"
    MIXED_ACQUISITION = "mixed-acquisition"
    DUPLICATE_INSTANCES = "duplicate-instances"
    DUPLICATE_SLICES = "duplicate-slices"
    MISSING_SLICE = "missing-slice"
    IRREGULAR_SPACING = "irregular-spacing"
    SLICE_GAPS = "slice-gaps"
    IMPLAUSIBLE_THICKNESS = "implausible-thickness"
    INCOMPLETE_HEADER = "incomplete-header"
    UNSUPPORTED_TRANSFER_SYNTAX = "unsupported-transfer-syntax"
    NOT_FINITE = "not-finite"
    BEYOND_BITS_STORED = "values-beyond-bits-stored"


def refuse(reason: Refusal, message: str) -> NoReturn:
    """Refuse the series; `message` says what was needed, what came and what to do, without patient data.

    Raises:
        IneligibleSeries: always.
    """
    raise IneligibleSeries(reason.value, message)

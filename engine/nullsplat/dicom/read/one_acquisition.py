"""Whether all slices come from one acquisition: regular places alone do not tell.

Two scans of the same patient, each at twice the distance, interleave to one regular stack: phases, energies, kernels,
days. What is one for a whole scan must be the same in all slices; what may change from slab to slab must not come back
again and again; and the clock must not go back and forth. The plugin has the same tables, and tests/contract compares them.
Source: PS3.3 C.8.2.1 (CT Image), C.7.6.16 (functional groups), which say what an attribute belongs to.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby, pairwise

from pydicom.dataset import Dataset

from nullsplat.dicom.headers import named, text
from nullsplat.dicom.refusals import Refusal, refuse

CONSTANT = (
    "KVP", "ConvolutionKernel", "TemporalPositionIdentifier", "DeviceSerialNumber",
)  # fmt: skip
"""The same in all slices that have it."""

STEADY = (
    "ImageType", "AcquisitionNumber", "AcquisitionDate", "IrradiationEventUID", "NominalPercentageOfCardiacPhase",
    "TemporalPositionIndex", "ContrastBolusAgent", "ScanOptions", "ProtocolName", "SeriesDescription", "PatientPosition",
)  # fmt: skip
"""May change along the stack, as where one slab ends and the next begins, but not go back and forth."""

CLOCKS = {
    "AcquisitionDateTime": (r"\d{14}", "%Y%m%d%H%M%S"),
    "AcquisitionTime": (r"\d{6}", "%H%M%S"),
}
"""When a slice was acquired, with how it begins; fractions of a second do not matter here."""

TREMBLING_SECONDS = 5.0
"""Steps of the clock that are no other pass: slices of one rotation are not in the order of their times."""

RARE = 8
"""One return in so many slices is none of another pass: a table that was moved twice, a slice that was repeated."""


def check_one_acquisition(headers: Sequence[Dataset]) -> None:
    """Refuse slices of several acquisitions that only look like one stack.

    Args:
        headers: in the order of the stack.
    Raises:
        IneligibleSeries: `mixed-acquisition`, naming the attribute and the first slice that differs.
    """
    for keyword in CONSTANT:
        _check_constant(headers, keyword)
    for keyword in STEADY:
        _check_steady(headers, keyword)
    for keyword in CLOCKS:
        _check_clock(headers, keyword)


def _check_constant(headers: Sequence[Dataset], keyword: str) -> None:
    said = [(value, header) for header in headers if (value := _value(header, keyword))]
    other = next((header for value, header in said if value != said[0][0]), None)
    if other is not None:
        _refuse(
            f"{keyword} must be the same in all slices, it differs between {named(said[0][1])} and {named(other)}"
        )


def _check_steady(headers: Sequence[Dataset], keyword: str) -> None:
    runs = [value for value, _ in groupby(_value(header, keyword) for header in headers)]
    if len(runs) - len(set(runs)) > len(headers) // RARE:
        second = next(header for header in headers if _value(header, keyword) != runs[0])
        _refuse(f"{keyword} must not go back and forth along the stack, as it does from {named(second)} on")


def _check_clock(headers: Sequence[Dataset], keyword: str) -> None:
    times = [_seconds(text(header, keyword), *CLOCKS[keyword]) for header in headers]
    known = [time for time in times if time is not None]
    steps = [b - a for a, b in pairwise(known) if abs(b - a) >= TREMBLING_SECONDS]
    turns = sum((a > 0) != (b > 0) for a, b in pairwise(steps))
    if len(known) == len(headers) and turns > max(1, len(headers) // RARE):
        _refuse(f"{keyword} must go one way along the stack, it turns {turns} times")


def _refuse(came: str) -> None:
    refuse(
        Refusal.MIXED_ACQUISITION,
        f"the slices of one acquisition are needed: {came}; send each acquisition as its own series",
    )


def _value(header: Dataset, keyword: str) -> str:
    """What can be compared: 120 and 120.0 are one number, and blanks and letter case do not matter."""
    written = " ".join(text(header, keyword).upper().split())
    try:
        return f"{float(written):.12g}"
    except ValueError:
        return written


def _seconds(written: str, begins: str, pattern: str) -> float | None:
    found = re.match(begins, written.replace(":", ""))
    try:
        return (
            (datetime.strptime(found[0], pattern) - datetime(1900, 1, 1)).total_seconds() if found else None
        )
    except ValueError:
        return None

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether all slices come from one acquisition, which regular positions alone do not show.

Two scans of the same patient, each at twice the distance, interleave to one regular stack: phases, energies, kernels,
days. What is one for a whole scan must be the same in all slices; what may change from slab to slab must not come back
again and again; and the clock must not go back and forth. The engine has the same tables, and tests/contract compares them.
Source: PS3.3 C.8.2.1 (CT Image), C.7.6.16 (functional groups), which say what an attribute belongs to.
"""

from __future__ import annotations

import re
from datetime import datetime
from itertools import groupby
from typing import NoReturn, Optional, Sequence

from nullsplat_node.series.refusal import Refused
from nullsplat_node.series.tags import Tags, named, values

CONSTANT = (
    "KVP", "ConvolutionKernel", "TemporalPositionIdentifier", "DeviceSerialNumber",
)  # fmt: skip
"""Attributes that are the same in all slices that have them."""

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
"""Largest step back of the clock within one pass: slices of one rotation are not in the order of their times."""

RARE = 8
"""One return in so many slices does not count as another pass: a table that was moved twice, a slice that was repeated."""


def one_acquisition(slices: Sequence[Tags]) -> None:
    """Refuse slices of several acquisitions that only look like one stack.

    Args:
        slices: in the order of the stack.
    Raises:
        Refused: `mixed-acquisition`, naming the attribute and the first slice that differs.
    """
    for keyword in CONSTANT:
        _constant(slices, keyword)
    for keyword in STEADY:
        _steady(slices, keyword)
    for keyword in CLOCKS:
        _clock(slices, keyword)


def _constant(slices: Sequence[Tags], keyword: str) -> None:
    said = [tags for tags in slices if _value(tags, keyword)]
    for tags in said:
        if _value(tags, keyword) != _value(said[0], keyword):
            differ = f"{named(said[0])} and {named(tags)}"
            _refuse(f"{keyword} must be the same in all slices, it differs between {differ}")


def _steady(slices: Sequence[Tags], keyword: str) -> None:
    runs = [value for value, _ in groupby(_value(tags, keyword) for tags in slices)]
    if len(runs) - len(set(runs)) > len(slices) // RARE:
        second = next(tags for tags in slices if _value(tags, keyword) != runs[0])
        _refuse(f"{keyword} must not go back and forth along the stack, as it does from {named(second)} on")


def _clock(slices: Sequence[Tags], keyword: str) -> None:
    begins, pattern = CLOCKS[keyword]
    times = [_seconds("".join(values(tags, keyword)[:1]), begins, pattern) for tags in slices]
    known = [time for time in times if time is not None]
    steps = [b - a for a, b in zip(known, known[1:]) if abs(b - a) >= TREMBLING_SECONDS]
    turns = sum((a > 0) != (b > 0) for a, b in zip(steps, steps[1:]))
    if len(known) == len(slices) and turns > max(1, len(slices) // RARE):
        _refuse(f"{keyword} must go one way along the stack, it turns {turns} times")


def _refuse(came: str) -> NoReturn:
    raise Refused(
        "mixed-acquisition",
        f"the slices of one acquisition are needed: {came}; send each acquisition as its own series",
    )


def _value(tags: Tags, keyword: str) -> str:
    """Return what can be compared: 120 and 120.0 are one number, and blanks and letter case do not matter."""
    written = " ".join("\\".join(values(tags, keyword)).split())
    try:
        return f"{float(written):.12g}"
    except ValueError:
        return written


def _seconds(written: str, begins: str, pattern: str) -> Optional[float]:
    found = re.match(begins, written.replace(":", ""))
    try:
        return (
            (datetime.strptime(found[0], pattern) - datetime(1900, 1, 1)).total_seconds() if found else None
        )
    except ValueError:
        return None

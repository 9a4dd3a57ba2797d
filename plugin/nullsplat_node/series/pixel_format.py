# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether the pixels are those of a CT image: one value each, which the rescale converts to Hounsfield units.

The engine checks the same, so that it does not refuse what was taken here.
Source: PS3.3 C.7.6.3 (Image Pixel), C.8.2.1 (CT Image), C.11.1 (Modality LUT); PS3.5 8.1.1 (Bits Stored).
"""

from __future__ import annotations

import math
from typing import NoReturn

from nullsplat_node.series.refusal import Refused
from nullsplat_node.series.tags import BadTag, Tags, named, number, text, values

MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
BITS_ALLOCATED = (8, 16, 32)
UNITS = ("", "HU", "US")
"""Rescale Types that are taken; US, "unspecified", is what older scanners write."""


def pixel_format(tags: Tags) -> None:
    """Refuse pixels with several values, and an inconsistent description of pixels.

    Raises:
        Refused: `not-hounsfield` or `incomplete-header`.
    """
    samples, shown = needed(tags, "SamplesPerPixel"), text(tags, "PhotometricInterpretation")
    if samples != 1 or (shown and shown not in MONOCHROME):
        raise Refused(
            "not-hounsfield",
            f"monochrome images of values in Hounsfield units are needed, got {samples:g} sample(s) per pixel and "
            f"{shown[:16] or 'nothing'} in {named(tags)}",
        )
    if not shown:
        _description(tags, "PhotometricInterpretation must be MONOCHROME1 or MONOCHROME2, got nothing")
    _bits(tags)


def hounsfield(tags: Tags) -> None:
    """Refuse a rescale that does not result in Hounsfield units.

    Raises:
        Refused: `not-hounsfield`, `incomplete-header` or `not-finite`.
    """
    unit = "\\".join(values(tags, "RescaleType"))
    if unit not in UNITS:
        raise Refused("not-hounsfield", f"Rescale Type must be HU, got {unit[:16]} in {named(tags)}")
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        _finite(tags, keyword)
    slope = needed(tags, "RescaleSlope")
    needed(tags, "RescaleIntercept")
    if slope <= 0:
        raise Refused("not-hounsfield", f"Rescale Slope must be positive, got {slope:g} in {named(tags)}")


def needed(tags: Tags, keyword: str) -> float:
    """Return the one number that every slice must have.

    Raises:
        Refused: `incomplete-header`.
    """
    try:
        found = number(tags, keyword)
    except BadTag as error:
        raise Refused("incomplete-header", f"{error} in {named(tags)}; send the series again") from error
    if found is None:
        raise Refused(
            "incomplete-header",
            f"every slice must have {keyword}, {named(tags)} has none; send the series again",
        )
    return found


def _finite(tags: Tags, keyword: str) -> None:
    try:
        value = float(text(tags, keyword) or 0)
    except ValueError:
        return
    if not math.isfinite(value):
        raise Refused(
            "not-finite", f"{keyword} must be finite, in {named(tags)} it is not; send the series again"
        )


def _bits(tags: Tags) -> None:
    allocated, stored, signed = (
        needed(tags, keyword) for keyword in ("BitsAllocated", "BitsStored", "PixelRepresentation")
    )
    high = needed(tags, "HighBit") if text(tags, "HighBit") else stored - 1
    if allocated not in BITS_ALLOCATED or not 1 <= stored <= allocated or signed not in (0, 1):
        _description(
            tags,
            f"pixels of 8, 16 or 32 bits with no more bits stored are needed, got {allocated:g} allocated, {stored:g} "
            f"stored, Pixel Representation {signed:g}",
        )
    if high != stored - 1:
        _description(tags, f"High Bit must be Bits Stored - 1, got {high:g} and {stored:g}")


def _description(tags: Tags, came: str) -> NoReturn:
    raise Refused("incomplete-header", f"{came} in {named(tags)}; send the series again")

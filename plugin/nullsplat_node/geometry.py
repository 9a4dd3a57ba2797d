# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do the slices form one regular axial stack? Refuse rather than repair.

Positions and orientations are DICOM's patient coordinates (LPS) in millimetres.
Source: PS3.3 C.7.6.2.1.1 (Image Position and Image Orientation).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import Sequence, Tuple

from .refusal import Refused
from .tags import BadTag, Tags, numbers

Vector = Tuple[float, ...]

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference between direction cosines of one series; scanners write four digits or more."""
AXIAL_COSINE = 0.9
"""Least cosine between slice normal and patient axis, about 25 degrees."""
SPACING_TOLERANCE = 0.05
"""Largest distance of a slice from the regular grid, in slice spacings; positions rounded to 0.1 mm pass.
The engine has the same tolerance, so that it does not refuse what was taken here."""
DUPLICATE_DISTANCE = 0.01
"""Slices nearer than this many millimetres lie in the same place."""
LARGEST_TILT = 35.0
"""Degrees; gantries tilt by up to 30, and what leans more is no stack of one. The engine has the same limit."""


@dataclass(frozen=True)
class Stack:
    """A regular stack of axial slices.

    Attributes:
        slices: how many.
        spacing: distance between neighbouring slice centres, mm.
        pixel_spacing: distance between rows and between columns, mm.
        tilt: of the gantry in degrees, as the positions show it; 0 where the slices lie straight above each other.
    """

    slices: int
    spacing: float
    pixel_spacing: Tuple[float, float]
    tilt: float = 0.0


@dataclass(frozen=True)
class _Slice:
    position: Vector
    orientation: Vector
    pixel_spacing: Vector
    size: Vector


def stack_of(instances: Sequence[Tags]) -> Stack:
    """Return the stack that the instances form.

    Args:
        instances: simplified tags of every instance, in any order; at least two.
    Raises:
        Refused: they do not form one regular axial stack.
    """
    slices = [_read(tags) for tags in instances]
    first = slices[0]
    _same_orientation(slices)
    _same_grid(slices)
    normal = _normal(first.orientation)
    ordered = sorted(slices, key=lambda one: _dot(one.position, normal))
    _axial(ordered, normal)
    spacing = _regular_spacing([_dot(one.position, normal) for one in ordered])
    tilt = _tilt(ordered, normal)
    return Stack(len(slices), spacing, (first.pixel_spacing[0], first.pixel_spacing[1]), tilt)


def _read(tags: Tags) -> _Slice:
    try:
        return _Slice(
            position=_needed(tags, "ImagePositionPatient", 3),
            orientation=_needed(tags, "ImageOrientationPatient", 6),
            pixel_spacing=_positive(tags, "PixelSpacing", 2),
            size=_positive(tags, "Rows", 1) + _positive(tags, "Columns", 1),
        )
    except BadTag as error:
        raise Refused("unreadable", str(error)) from error


def _needed(tags: Tags, keyword: str, count: int) -> Vector:
    found = numbers(tags, keyword, count)
    if found is None:
        raise Refused(
            "incomplete-header",
            f"every slice must have {keyword}, one has none; send it from the scanner again",
        )
    return found


def _positive(tags: Tags, keyword: str, count: int) -> Vector:
    found = _needed(tags, keyword, count)
    if min(found) <= 0:
        raise BadTag(keyword, "positive", found)
    return found


def _same_orientation(slices: Sequence[_Slice]) -> None:
    first = slices[0].orientation
    worst = max(max(abs(a - b) for a, b in zip(one.orientation, first)) for one in slices)
    if worst > ORIENTATION_TOLERANCE:
        raise Refused(
            "mixed-orientation",
            f"all slices must have the same Image Orientation; direction cosines differ by up to {worst:.3g}",
        )


def _same_grid(slices: Sequence[_Slice]) -> None:
    sizes = {one.size for one in slices}
    spacings = {tuple(round(value, 4) for value in one.pixel_spacing) for one in slices}
    for name, found in (("Rows and Columns", sizes), ("Pixel Spacing", spacings)):
        if len(found) > 1:
            shown = " and ".join(str(value) for value in sorted(found)[:2])
            raise Refused("inconsistent-size", f"all slices must have the same {name}; there are {shown}")


def _normal(orientation: Vector) -> Vector:
    row, column = orientation[:3], orientation[3:]
    lengths_off = max(abs(_dot(row, row) - 1), abs(_dot(column, column) - 1), abs(_dot(row, column)))
    if lengths_off > 10 * ORIENTATION_TOLERANCE:
        raise Refused("unreadable", "Image Orientation must be two perpendicular unit vectors, these are not")
    return _cross(row, column)


def _axial(ordered: Sequence[_Slice], normal: Vector) -> None:
    """Refuse what is not stacked along the patient: a tilted gantry turns slices, but the table still moves along it."""
    moved = _minus(ordered[-1].position, ordered[0].position)
    is_table_axial = abs(moved[2]) >= AXIAL_COSINE * _length(moved)
    least = math.cos(math.radians(LARGEST_TILT)) if is_table_axial else AXIAL_COSINE
    if abs(normal[2]) < least:
        angle = math.degrees(math.acos(min(1.0, abs(normal[2]))))
        raise Refused(
            "not-axial",
            f"slices must lie across the patient's long axis, these are turned by {angle:.0f} degrees",
        )


def _regular_spacing(along: Sequence[float]) -> float:
    """Return the distance of neighbours, given sorted positions along the normal, all in mm."""
    gaps = [b - a for a, b in zip(along, along[1:])]
    same = sum(1 for gap in gaps if gap < DUPLICATE_DISTANCE)
    if same:
        raise Refused(
            "duplicate-slices",
            f"every slice must have its own position, {same} of {len(along)} lie where another does; "
            "send repeated or multi-phase acquisitions as one series each",
        )
    _no_missing(gaps, median(gaps))
    spacing = (along[-1] - along[0]) / len(gaps)
    worst = max(abs(position - along[0] - index * spacing) for index, position in enumerate(along))
    if worst > SPACING_TOLERANCE * spacing:
        raise Refused(
            "irregular-spacing",
            f"slices must be evenly spaced to {SPACING_TOLERANCE:.0%} of their distance, "
            f"distances are {min(gaps):.4g} to {max(gaps):.4g} mm; send a reconstruction with constant increment",
        )
    return spacing


def _no_missing(gaps: Sequence[float], usual: float) -> None:
    """Refuse gaps that are all a whole number of spacings, which is what missing slices leave."""
    counts = [max(1, round(gap / usual)) for gap in gaps]
    whole = all(abs(gap / usual - count) <= SPACING_TOLERANCE * count for gap, count in zip(gaps, counts))
    missing = sum(counts) - len(counts)
    if missing and whole:
        after = next(index for index, count in enumerate(counts) if count > 1)
        raise Refused(
            "missing-slice",
            f"slices must be evenly spaced; between slice {after + 1} and {after + 2} the gap is {gaps[after]:.4g} mm, "
            f"elsewhere {usual:.4g} mm; send the missing slice{'s' if missing > 1 else ''}",
        )


def _tilt(ordered: Sequence[_Slice], normal: Vector) -> float:
    """Return by how many degrees the stack leans from the normal; slices may only lean evenly."""
    origin, half_pixel = ordered[0].position, min(ordered[0].pixel_spacing) / 2
    aside = [_aside(origin, one.position, normal) for one in ordered]
    if max(map(_length, aside)) <= half_pixel:
        return 0.0
    height = _dot(_minus(ordered[-1].position, origin), normal)
    shares = [_dot(_minus(one.position, origin), normal) / height for one in ordered]
    off = [_length(_minus(here, _scaled(aside[-1], share))) for here, share in zip(aside, shares)]
    if max(off) > half_pixel:
        raise Refused(
            "irregular-spacing",
            f"slices must lie straight above each other or lean evenly, one is {max(off):.3g} mm aside",
        )
    angle = math.degrees(math.atan2(_length(aside[-1]), height))
    if angle > LARGEST_TILT:
        raise Refused(
            "gantry-tilt",
            f"a gantry tilts by up to {LARGEST_TILT:g} degrees, these slices lean by {angle:.0f}; "
            "reformat the series at the scanner",
        )
    return angle


def _aside(origin: Vector, position: Vector, normal: Vector) -> Vector:
    """Return how far a slice lies from above the origin, in its plane."""
    step = _minus(position, origin)
    return _minus(step, _scaled(normal, _dot(step, normal)))


def _scaled(a: Vector, factor: float) -> Vector:
    return tuple(x * factor for x in a)


def _length(a: Vector) -> float:
    return math.sqrt(_dot(a, a))


def _minus(a: Vector, b: Vector) -> Vector:
    return tuple(x - y for x, y in zip(a, b))


def _dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b))


def _cross(a: Vector, b: Vector) -> Vector:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])

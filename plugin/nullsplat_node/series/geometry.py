# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do the slices form one regular axial stack? Refuse rather than repair.

Positions and orientations are DICOM's patient coordinates (LPS) in millimetres.
Source: PS3.3 C.7.6.2.1.1 (Image Position and Image Orientation).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import NoReturn, Sequence, Tuple

from nullsplat_node.series.limits import (
    LARGEST_TILT,
    ORIENTATION_TOLERANCE,
    PIXEL_SPACING_TOLERANCE,
    UNIT_TOLERANCE,
)
from nullsplat_node.series.refusal import Refused
from nullsplat_node.series.regularity import regular_spacing
from nullsplat_node.series.tags import BadTag, Tags, named, numbers

Vector = Tuple[float, ...]

AXIAL_COSINE = 0.9
"""Least cosine between slice normal and patient axis, about 25 degrees."""
EXACT = 1e-9


@dataclass(frozen=True)
class Stack:
    """A regular stack of axial slices.

    Attributes:
        tags: of the slices, from the lowest along their normal to the highest.
        spacing: distance between neighbouring slice centres, mm.
        pixel_spacing: distance between rows and between columns, mm.
        tilt: of the gantry in degrees, as the positions show it; 0 where the slices lie straight above each other.
    """

    tags: Tuple[Tags, ...]
    spacing: float
    pixel_spacing: Tuple[float, float]
    tilt: float = 0.0

    @property
    def slices(self) -> int:
        """Return how many slices there are."""
        return len(self.tags)


@dataclass(frozen=True)
class _Slice:
    tags: Tags
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
    rounded = _rounding([one.orientation for one in slices])
    _same_orientation(slices, rounded)
    _same_grid(slices)
    normal = _unit(_cross(slices[0].orientation[:3], slices[0].orientation[3:]))
    ordered = sorted(slices, key=lambda one: _dot(one.position, normal))
    _axial(ordered, normal)
    normal = _straightened(normal, ordered, rounded)
    tags = [one.tags for one in ordered]
    spacing = regular_spacing([_dot(one.position, normal) for one in ordered], tags)
    rows, columns = slices[0].pixel_spacing
    return Stack(tuple(tags), spacing, (rows, columns), _tilt(ordered, normal))


def _read(tags: Tags) -> _Slice:
    try:
        return _Slice(
            tags=tags,
            position=_needed(tags, "ImagePositionPatient", 3),
            orientation=_needed(tags, "ImageOrientationPatient", 6),
            pixel_spacing=_positive(tags, "PixelSpacing", 2),
            size=_positive(tags, "Rows", 1) + _positive(tags, "Columns", 1),
        )
    except BadTag as error:
        raise Refused("incomplete-header", f"{error} in {named(tags)}; send the series again") from error


def _needed(tags: Tags, keyword: str, count: int) -> Vector:
    found = numbers(tags, keyword, count)
    if found is None:
        raise Refused(
            "incomplete-header",
            f"every slice must have {keyword}, {named(tags)} has none; send it from the scanner again",
        )
    return found


def _positive(tags: Tags, keyword: str, count: int) -> Vector:
    found = _needed(tags, keyword, count)
    if min(found) <= 0:
        raise BadTag(keyword, "positive", found)
    return found


def _rounding(cosines: Sequence[Vector]) -> float:
    """Return half of the last digit where all are written with two digits; 0 where more are, or all are 0 or 1."""
    coarse = all(abs(value - round(value, 2)) < EXACT for vector in cosines for value in vector)
    exact = all(abs(value - round(value)) < EXACT for vector in cosines for value in vector)
    return 0.005 if coarse and not exact else 0.0


def _same_orientation(slices: Sequence[_Slice], rounded: float) -> None:
    first, allowed = slices[0], max(ORIENTATION_TOLERANCE, 2 * rounded + EXACT)
    for one in slices:
        _unit_vectors(one)
        differ = max(abs(a - b) for a, b in zip(one.orientation, first.orientation))
        if differ > allowed:
            raise Refused(
                "mixed-orientation",
                f"all slices must have the same Image Orientation; the direction cosines of {named(first.tags)} and "
                f"{named(one.tags)} differ by up to {differ:.3g}",
            )


def _same_grid(slices: Sequence[_Slice]) -> None:
    first = slices[0]
    for one in slices:
        off = max(abs(a / b - 1) for a, b in zip(one.pixel_spacing, first.pixel_spacing))
        for name, differs, shown in (
            ("Rows and Columns", one.size != first.size, (first.size, one.size)),
            ("Pixel Spacing", off > PIXEL_SPACING_TOLERANCE, (first.pixel_spacing, one.pixel_spacing)),
        ):
            if differs:
                raise Refused(
                    "inconsistent-size",
                    f"all slices must have the same {name}; {named(first.tags)} has {shown[0]}, {named(one.tags)} {shown[1]}",
                )


def _unit_vectors(one: _Slice) -> None:
    row, column = one.orientation[:3], one.orientation[3:]
    off = max(abs(_dot(row, row) - 1), abs(_dot(column, column) - 1), abs(_dot(row, column)))
    if off > UNIT_TOLERANCE:
        raise Refused(
            "incomplete-header",
            f"Image Orientation must be two perpendicular unit vectors, in {named(one.tags)} it is not; "
            "send the series again",
        )


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


def _straightened(normal: Vector, ordered: Sequence[_Slice], rounded: float) -> Vector:
    """Return the direction of the stack, where it is off the normal by no more than the rounding of cosines explains."""
    along = _minus(ordered[-1].position, ordered[0].position)
    if not rounded or not any(along):
        return normal
    direction = _unit(along)
    return direction if _length(_minus(direction, normal)) <= 2 * rounded else normal


def _tilt(ordered: Sequence[_Slice], normal: Vector) -> float:
    """Return the shear of the stack against the normal in degrees; slices may only be sheared evenly."""
    origin, half_pixel = ordered[0].position, min(ordered[0].pixel_spacing) / 2
    aside = [_aside(origin, one.position, normal) for one in ordered]
    if max(map(_length, aside)) <= half_pixel:
        return 0.0
    along = [_dot(_minus(one.position, origin), normal) for one in ordered]
    off = [
        _length(_minus(here, _scaled(aside[-1], height / along[-1]))) for here, height in zip(aside, along)
    ]
    if max(off) > half_pixel:
        _refuse_uneven(ordered, along, aside, half_pixel)
    angle = math.degrees(math.atan2(_length(aside[-1]), along[-1]))
    if angle > LARGEST_TILT:
        raise Refused(
            "gantry-tilt",
            f"a gantry tilts by up to {LARGEST_TILT:g} degrees, these slices are sheared by {angle:.0f}; "
            "reformat the series at the scanner",
        )
    return angle


def _refuse_uneven(
    ordered: Sequence[_Slice], along: Sequence[float], aside: Sequence[Vector], tolerance: float
) -> NoReturn:
    """Name the first slice that is offset from most."""
    heights = [b - a for a, b in zip(along, along[1:])]
    steps = [_scaled(_minus(b, a), 1 / height) for a, b, height in zip(aside, aside[1:], heights)]
    usual = _middle(steps)
    rest = [_minus(here, _scaled(usual, height)) for here, height in zip(aside, along)]
    middle = _middle(rest)
    moved = [_length(_minus(one, middle)) for one in rest]
    first = next(index for index, value in enumerate(moved) if value > min(tolerance, 0.99 * max(moved)))
    raise Refused(
        "irregular-spacing",
        f"slices must lie straight above each other or be sheared evenly, {named(ordered[first].tags)} is offset by {moved[first]:.3g} mm "
        "from most; send the series again",
    )


def _middle(vectors: Sequence[Vector]) -> Vector:
    return tuple(median(vector[axis] for vector in vectors) for axis in range(3))


def _aside(origin: Vector, position: Vector, normal: Vector) -> Vector:
    """Return how far a slice lies from above the origin, in its plane."""
    step = _minus(position, origin)
    return _minus(step, _scaled(normal, _dot(step, normal)))


def _scaled(a: Vector, factor: float) -> Vector:
    return tuple(x * factor for x in a)


def _length(a: Vector) -> float:
    return math.sqrt(_dot(a, a))


def _unit(a: Vector) -> Vector:
    length = _length(a)
    return tuple(value / length for value in a)


def _minus(a: Vector, b: Vector) -> Vector:
    return tuple(x - y for x, y in zip(a, b))


def _dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b))


def _cross(a: Vector, b: Vector) -> Vector:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])

"""From positions in the patient to a regular stack of slices, or to the reason why there is none.

The slice axis is the normal of the image plane, row direction x column direction, whatever the order in which
the scanner sent the slices: z index 0 is the slice with the smallest position along the normal. For ordinary
axial slices that is the one nearest to the feet.
Source: PS3.3 C.7.6.2.1.1 (Image Position and Orientation), Eq. C.7.6.2.1-1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydicom.dataset import Dataset

from nullsplat.core.volume import Axes3, Geometry
from nullsplat.dicom.headers import required_numbers
from nullsplat.dicom.leaning import Lean, lean_of
from nullsplat.dicom.refusals import Refusal, refuse

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference of a direction cosine, and largest departure from orthonormal axes."""

SPACING_TOLERANCE = 0.05
"""Largest distance of a slice from the regular grid, in slice spacings; positions rounded to 0.1 mm pass."""

DUPLICATE_DISTANCE = 0.01
"""Slices that are nearer than this many millimetres lie in the same place."""


@dataclass(frozen=True)
class Stack:
    """A regular stack.

    Attributes:
        order: for each z index the index of the header it comes from.
        geometry: where the voxels lie, once the slices are placed as `lean` says.
        lean: where the slices lie in their planes.
    """

    order: tuple[int, ...]
    geometry: Geometry
    lean: Lean


def stack(headers: Sequence[Dataset]) -> Stack:
    """Order the slices along their normal and find the grid on which their voxels lie.

    Args:
        headers: at least two slices of one series.
    Raises:
        IneligibleSeries: the slices do not form a regular stack; its code says why.
    """
    rows, columns, row_spacing, column_spacing = _common_size(headers)
    axes = _common_axes(headers)
    positions = np.array([required_numbers(header, "ImagePositionPatient", 3) for header in headers])
    along = positions @ np.array(axes[0])
    order = np.argsort(along, kind="stable")
    spacing = _regular_spacing(along[order])
    x, y, z = (float(value) for value in positions[order[0]])
    geometry = Geometry(
        (len(headers), rows, columns), (spacing, row_spacing, column_spacing), (x, y, z), axes
    )
    lean = lean_of(positions[order], geometry)
    return Stack(tuple(int(index) for index in order), lean.common_grid(geometry), lean)


def axes_of(header: Dataset) -> tuple[Axes3, Axes3, Axes3]:
    """Unit vectors along increasing z, y and x index from Image Orientation (Patient).

    Raises:
        IneligibleSeries: `incomplete-header`, the attribute is missing or its vectors are not orthogonal.
    """
    cosines = np.array(required_numbers(header, "ImageOrientationPatient", 6))
    x, y = cosines[:3], cosines[3:]
    gram = np.array([x @ x - 1, y @ y - 1, x @ y])
    if np.abs(gram).max() > 2 * ORIENTATION_TOLERANCE:
        refuse(
            Refusal.INCOMPLETE_HEADER,
            "ImageOrientationPatient must hold two orthogonal unit vectors, it does not; export the series again",
        )
    x = x / np.linalg.norm(x)
    y = y - (y @ x) * x
    y = y / np.linalg.norm(y)
    return _axis(np.cross(x, y)), _axis(y), _axis(x)


def _axis(vector: Float[ndarray, "3"]) -> Axes3:
    x, y, z = (float(value) + 0.0 for value in vector)  # no negative zeros
    return x, y, z


def _common_size(headers: Sequence[Dataset]) -> tuple[int, int, float, float]:
    sizes = {
        (
            *required_numbers(header, "Rows", 1),
            *required_numbers(header, "Columns", 1),
            *required_numbers(header, "PixelSpacing", 2),
        )
        for header in headers
    }
    if len(sizes) > 1:
        listed = "; ".join(f"{r:g}x{c:g} at {dy:g}x{dx:g} mm" for r, c, dy, dx in sorted(sizes)[:4])
        refuse(
            Refusal.INCONSISTENT_SIZE,
            f"all slices must have the same rows, columns and pixel spacing, got {listed}; split the series",
        )
    rows, columns, row_spacing, column_spacing = sizes.pop()
    if min(rows, columns) < 1 or min(row_spacing, column_spacing) <= 0:
        refuse(
            Refusal.INCOMPLETE_HEADER,
            f"rows, columns and pixel spacing must be positive, got {rows:g}x{columns:g} at "
            f"{row_spacing:g}x{column_spacing:g} mm; export the series again",
        )
    return int(rows), int(columns), row_spacing, column_spacing


def _common_axes(headers: Sequence[Dataset]) -> tuple[Axes3, Axes3, Axes3]:
    axes = [axes_of(header) for header in headers]
    spread = np.abs(np.array(axes) - np.array(axes[0])).max()
    if spread > ORIENTATION_TOLERANCE:
        refuse(
            Refusal.MIXED_ORIENTATION,
            f"all slices must have one orientation, their direction cosines differ by up to {spread:.3f}; "
            "split the series by orientation",
        )
    return axes[0]


def _regular_spacing(along: Float[ndarray, "n"]) -> float:
    """The spacing of sorted positions along the normal, in mm."""
    gaps = np.diff(along)
    same = int(np.count_nonzero(gaps < DUPLICATE_DISTANCE))
    if same:
        refuse(
            Refusal.DUPLICATE_SLICES,
            f"each slice must have its own position, {same} lie(s) where another does; "
            "split repeated or multi-phase acquisitions into one series each",
        )
    usual = float(np.median(gaps))
    _check_gaps(gaps, usual)
    spacing = float(along[-1] - along[0]) / len(gaps)
    deviation = float(np.abs(along - (along[0] + spacing * np.arange(len(along)))).max())
    if deviation > SPACING_TOLERANCE * spacing:
        refuse(
            Refusal.IRREGULAR_SPACING,
            f"slices must be evenly spaced to {SPACING_TOLERANCE:.0%} of their distance, got distances of "
            f"{gaps.min():.3f} to {gaps.max():.3f} mm; choose a reconstruction with constant increment",
        )
    return spacing


def _check_gaps(gaps: Float[ndarray, "n"], usual: float) -> None:
    """Refuse gaps of a whole number of spacings, which is what missing slices leave."""
    ratio = gaps / usual
    missing = np.rint(ratio).astype(int) - 1
    is_whole = np.abs(ratio - np.rint(ratio)) <= SPACING_TOLERANCE * np.maximum(np.rint(ratio), 1)
    if (missing > 0).any() and is_whole.all():
        after = int(np.flatnonzero(missing > 0)[0]) + 1
        refuse(
            Refusal.MISSING_SLICE,
            f"{int(missing.sum())} slice(s) are missing, the first after slice {after} of {len(gaps) + 1} "
            f"({gaps.max():.2f} mm where {usual:.2f} mm is usual); send the series again",
        )

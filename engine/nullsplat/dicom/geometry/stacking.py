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
from nullsplat.dicom.geometry.limits import PIXEL_SPACING_TOLERANCE, UNIT_TOLERANCE
from nullsplat.dicom.geometry.orientation import Axes, rounding, spread_allowed, straightened
from nullsplat.dicom.geometry.regularity import regular_spacing
from nullsplat.dicom.geometry.tilt import Lean, lean_of
from nullsplat.dicom.headers import named, required_numbers
from nullsplat.dicom.refusals import Refusal, refuse


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
    rounded = rounding(np.array([_cosines(header) for header in headers]))
    axes = _common_axes(headers, rounded)
    positions = np.array([required_numbers(header, "ImagePositionPatient", 3) for header in headers])
    order = np.argsort(positions @ np.array(axes[0]), kind="stable")
    positions, ordered = positions[order], [headers[index] for index in order]
    axes = straightened(axes, positions, rounded)
    spacing = regular_spacing(positions @ np.array(axes[0]), ordered)
    x, y, z = (float(value) for value in positions[0])
    geometry = Geometry(
        (len(headers), rows, columns), (spacing, row_spacing, column_spacing), (x, y, z), axes
    )
    lean = lean_of(positions, geometry, ordered)
    return Stack(tuple(int(index) for index in order), lean.common_grid(geometry), lean)


def axes_of(header: Dataset) -> Axes:
    """Unit vectors along increasing z, y and x index from Image Orientation (Patient).

    Raises:
        IneligibleSeries: `incomplete-header`, the attribute is missing or its vectors are not orthogonal.
    """
    cosines = _cosines(header)
    x, y = cosines[:3], cosines[3:]
    gram = np.array([x @ x - 1, y @ y - 1, x @ y])
    if np.abs(gram).max() > UNIT_TOLERANCE:
        refuse(
            Refusal.INCOMPLETE_HEADER,
            f"ImageOrientationPatient must hold two orthogonal unit vectors, in {named(header)} it does not; "
            "export the series again",
        )
    x = x / np.linalg.norm(x)
    y = y - (y @ x) * x
    y = y / np.linalg.norm(y)
    return _axis(np.cross(x, y)), _axis(y), _axis(x)


def _cosines(header: Dataset) -> Float[ndarray, "6"]:
    return np.array(required_numbers(header, "ImageOrientationPatient", 6))


def _axis(vector: Float[ndarray, "3"]) -> Axes3:
    x, y, z = (float(value) + 0.0 for value in vector)  # no negative zeros
    return x, y, z


def _common_size(headers: Sequence[Dataset]) -> tuple[int, int, float, float]:
    first = _size(headers[0])
    for header in headers[1:]:
        size = _size(header)
        if size[:2] != first[:2] or not np.allclose(
            size[2:], first[2:], rtol=PIXEL_SPACING_TOLERANCE, atol=0
        ):
            refuse(
                Refusal.INCONSISTENT_SIZE,
                f"all slices must have the same rows, columns and pixel spacing, {named(headers[0])} has {_listed(first)}, "
                f"{named(header)} {_listed(size)}; split the series",
            )
    rows, columns, row_spacing, column_spacing = first
    return int(rows), int(columns), row_spacing, column_spacing


def _size(header: Dataset) -> tuple[float, float, float, float]:
    rows, columns = (required_numbers(header, keyword, 1)[0] for keyword in ("Rows", "Columns"))
    row_spacing, column_spacing = required_numbers(header, "PixelSpacing", 2)
    size = rows, columns, row_spacing, column_spacing
    if min(rows, columns) < 1 or min(row_spacing, column_spacing) <= 0:
        refuse(
            Refusal.INCOMPLETE_HEADER,
            f"rows, columns and pixel spacing must be positive, got {_listed(size)} in {named(header)}; "
            "export the series again",
        )
    return size


def _listed(size: tuple[float, float, float, float]) -> str:
    rows, columns, row_spacing, column_spacing = size
    return f"{rows:g}x{columns:g} at {row_spacing:.9g}x{column_spacing:.9g} mm"


def _common_axes(headers: Sequence[Dataset], rounded: float) -> Axes:
    axes = [axes_of(header) for header in headers]
    spread = np.abs(np.array(axes) - np.array(axes[0])).max(axis=(1, 2))
    if spread.max() > spread_allowed(rounded):
        other = headers[int((spread > spread_allowed(rounded)).argmax())]
        refuse(
            Refusal.MIXED_ORIENTATION,
            f"all slices must have one orientation, the direction cosines of {named(headers[0])} and {named(other)} differ "
            f"by up to {spread.max():.3f}; split the series by orientation",
        )
    return axes[0]

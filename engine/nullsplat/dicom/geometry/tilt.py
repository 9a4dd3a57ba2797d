"""Stacks that lean because the gantry was tilted: every slice lies a little further in its own plane than the one below.

The slices themselves are sound. Each is moved in its plane by its known offset, to a part of a pixel, and then they stack
along their normal. What the positions say decides, not Gantry/Detector Tilt (0018,1120), which straight reformats keep.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydicom.dataset import Dataset

from nullsplat.core.units import LOWEST_HU
from nullsplat.core.volume import Geometry
from nullsplat.dicom.geometry.limits import LARGEST_TILT
from nullsplat.dicom.headers import named
from nullsplat.dicom.refusals import Refusal, refuse
from nullsplat.physics.fractional_shift import shifted


@dataclass(frozen=True)
class Lean:
    """Where each slice of a stack lies in its plane.

    Attributes:
        degrees: between the stack and the slices' normal; 0 where it stands straight.
        offsets: of each slice from the first of the common grid, whole and broken pixels along (y, x).
        size: rows and columns of the slices as they are.
    """

    degrees: float
    offsets: Float[ndarray, "n 2"]
    size: tuple[int, int]

    @property
    def _corners(self) -> Float[ndarray, "n 2"]:
        corners: ndarray = np.rint(self.offsets)
        return corners

    def common_grid(self, geometry: Geometry) -> Geometry:
        """The grid that holds all slices whole.

        Args:
            geometry: of the stack if it stood straight on its first slice.
        """
        if not self.degrees:
            return geometry
        low, high = self._corners.min(axis=0), self._corners.max(axis=0)
        rows, columns = (int(n) for n in np.add(self.size, high - low))
        origin = geometry.position((0.0, float(low[0]), float(low[1])))
        return Geometry((geometry.shape[0], rows, columns), geometry.spacing, origin, geometry.axes)

    def placed(self, hu: Float[ndarray, "y x"], index: int, shape: tuple[int, int]) -> Float[ndarray, "v u"]:
        """Slice `index` at its place on the common grid, with air around it."""
        if not self.degrees:
            return hu
        corner = self._corners[index]
        down, right = (self.offsets[index] - corner).tolist()
        y, x = (int(n) for n in corner - self._corners.min(axis=0))
        rows, columns = self.size
        canvas = np.full(shape, LOWEST_HU, np.float32)
        canvas[y : y + rows, x : x + columns] = np.maximum(shifted(hu, (down, right)), np.float32(LOWEST_HU))
        return canvas


def lean_of(positions: Float[ndarray, "n 3"], geometry: Geometry, headers: Sequence[Dataset]) -> Lean:
    """How the slices lie above each other.

    Args:
        positions: of the slices in the order of the stack, LPS in mm.
        geometry: of the stack if it stood straight.
        headers: of the same slices.
    Raises:
        IneligibleSeries: `irregular-spacing`, a slice lies aside of where an evenly leaning stack has it;
            `gantry-tilt`, it leans more than a gantry can.
    """
    normal, in_plane = np.array(geometry.axes[0]), np.array(geometry.axes[1:])
    moved = positions - positions[0]
    along, aside = moved @ normal, moved @ in_plane.T
    half_pixel = min(geometry.spacing[1:]) / 2
    size = geometry.shape[1], geometry.shape[2]
    if np.linalg.norm(aside, axis=1).max() <= half_pixel:
        return Lean(0.0, np.zeros_like(aside), size)
    _check_even(along, aside, half_pixel, headers)
    degrees = math.degrees(math.atan2(float(np.linalg.norm(aside[-1])), float(along[-1])))
    if degrees > LARGEST_TILT:
        refuse(
            Refusal.GANTRY_TILT,
            f"a gantry tilts by up to {LARGEST_TILT:g} degrees, got slices that are sheared by {degrees:.0f}; "
            "reformat the series at the scanner",
        )
    return Lean(degrees, aside / np.array(geometry.spacing[1:]), size)


def _check_even(
    along: Float[ndarray, "n"], aside: Float[ndarray, "n 2"], tolerance: float, headers: Sequence[Dataset]
) -> None:
    """Refuse slices off the line from the first to the last, naming the first that is offset from most."""
    off = np.linalg.norm(aside - np.outer(along / along[-1], aside[-1]), axis=1)
    if off.max() <= tolerance:
        return
    usual = np.median(np.diff(aside, axis=0) / np.diff(along)[:, None], axis=0)
    rest = aside - np.outer(along, usual)
    moved = np.linalg.norm(rest - np.median(rest, axis=0), axis=1)
    first = int((moved > min(tolerance, 0.99 * moved.max())).argmax())
    refuse(
        Refusal.IRREGULAR_SPACING,
        f"slices must lie straight above each other or be sheared evenly, {named(headers[first])} is offset by {moved[first]:.2f} mm "
        "from most; send the series again",
    )

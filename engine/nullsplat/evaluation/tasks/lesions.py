"""Small balls of low contrast, and quiet places to put them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import ndimage

from nullsplat.core.volume import Axes3

Place = tuple[int, int, int]
"""Indices of a voxel along (z, y, x)."""

_PARTS = 4  # of a voxel along each axis, by which a ball's share of it is counted


@dataclass(frozen=True)
class Ground:
    """Where lesions of a kind lie.

    Attributes:
        hu: lowest and highest mean of their surroundings.
        contrasts_hu: of the lesions.
        scatter_hu: the largest standard deviation of their surroundings.
    """

    hu: tuple[float, float]
    contrasts_hu: tuple[float, ...]
    scatter_hu: float


GROUNDS = {
    "soft tissue": Ground((-20.0, 120.0), (20.0, -20.0, 40.0, -40.0, 60.0, -60.0), 40.0),
    "lung": Ground((-950.0, -700.0), (100.0, 200.0, 300.0), 80.0),
}
"""Low contrast in soft tissue, ground glass in lung."""

DIAMETERS_MM = (3.0, 5.0, 7.0, 10.0)

REACH_MM = 10.0
"""From a lesion's centre, within which nothing else is put."""

_SURROUNDINGS_MM = 14.0


@dataclass(frozen=True)
class Lesion:
    """A ball.

    Attributes:
        place: its centre.
        ground: where it lies, one of `GROUNDS`.
        diameter_mm: of the ball.
        contrast_hu: what it adds.
    """

    place: Place
    ground: str
    diameter_mm: float
    contrast_hu: float


def ball(diameter_mm: float, spacing: Axes3, reach_mm: float = REACH_MM) -> Float[ndarray, "z y x"]:
    """Which share of each voxel about its centre belongs to a ball.

    Args:
        diameter_mm: of the ball.
        spacing: of the voxels along (z, y, x), mm.
        reach_mm: from the centre to the ends of the array.
    """
    squares = []
    for axis, mm in enumerate(spacing):
        n = half_width(mm, reach_mm)
        fine = ((np.arange((2 * n + 1) * _PARTS) + 0.5) / _PARTS - n - 0.5) * mm
        squares.append(np.square(fine).reshape([-1 if i == axis else 1 for i in range(3)]))
    inside = squares[0] + squares[1] + squares[2] <= (diameter_mm / 2) ** 2
    z, y, x = (n // _PARTS for n in inside.shape)
    share: ndarray = inside.reshape(z, _PARTS, y, _PARTS, x, _PARTS).mean((1, 3, 5))
    return share


def half_width(mm: float, reach_mm: float = REACH_MM) -> int:
    """Voxels from a centre to the end of a window."""
    return int(np.ceil(reach_mm / mm))


def window(place: Place, spacing: Axes3, reach_mm: float = REACH_MM) -> tuple[slice, slice, slice]:
    """The voxels about a place, as many as `ball` has."""
    z, y, x = (
        slice(at - half_width(mm, reach_mm), at + half_width(mm, reach_mm) + 1)
        for at, mm in zip(place, spacing, strict=True)
    )
    return z, y, x


def with_lesions(
    hu: Float[ndarray, "z y x"], spacing: Axes3, lesions: list[Lesion]
) -> Float[ndarray, "z y x"]:
    """A copy of a volume that holds the lesions."""
    copy = hu.copy()
    for one in lesions:
        copy[window(one.place, spacing)] += (one.contrast_hu * ball(one.diameter_mm, spacing)).astype(
            copy.dtype
        )
    return copy


def quiet_places(
    hu: Float[ndarray, "z y x"], spacing: Axes3, ground: Ground, taken: list[Place], most: int
) -> list[Place]:
    """Places whose surroundings are of a kind, the quietest first, apart from each other and from the edge of the volume.

    Args:
        hu: the truth.
        spacing: of its voxels, mm.
        ground: what is looked for.
        taken: places that are in use.
        most: places that are wanted.
    """
    size = [max(round(_SURROUNDINGS_MM / mm), 1) for mm in spacing]
    values = hu.astype(np.float64)
    mean = ndimage.uniform_filter(values, size)
    scatter = np.sqrt(np.maximum(ndimage.uniform_filter(values**2, size) - mean**2, 0))
    suitable = (mean >= ground.hu[0]) & (mean <= ground.hu[1]) & (scatter <= ground.scatter_hu)
    suitable &= _inside(hu.shape, spacing)
    rest = np.argwhere(suitable)[np.argsort(scatter[suitable], kind="stable")]
    for other in taken:
        rest = _apart(rest, other, spacing)
    found: list[Place] = []
    while len(rest) and len(found) < most:
        z, y, x = rest[0]
        found.append((int(z), int(y), int(x)))
        rest = _apart(rest, found[-1], spacing)
    return found


def _inside(shape: tuple[int, ...], spacing: Axes3) -> Bool[ndarray, "z y x"]:
    inside = np.zeros(shape, bool)
    inside[tuple(slice(half_width(mm), -half_width(mm)) for mm in spacing)] = True
    return inside


def _apart(places: Int[ndarray, "n 3"], other: Place, spacing: Axes3) -> Int[ndarray, "m 3"]:
    """Those whose lesions would not touch another's surroundings."""
    distances = np.linalg.norm((places - np.array(other)) * spacing, axis=1)
    apart: ndarray = places[distances >= 2 * REACH_MM]
    return apart

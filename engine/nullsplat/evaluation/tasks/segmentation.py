"""Simple segmentations, whose agreement with those of the truth says whether a program finds the same in a result."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

from nullsplat.core.volume import Axes3

LUNG_HU = (-950.0, -500.0)
VESSEL_HU = -500.0
"""Within the lungs, all that is denser: vessels, walls of airways, nodules."""

_SMOOTHING_MM = 1.0
_SKIN_MM = 2.0
_CLOSING_MM = 5.0
_SMALLEST_ML = 1.0


def lungs(hu: Float[ndarray, "z y x"], spacing: Axes3) -> Bool[ndarray, "z y x"]:
    """Voxels of lung tissue, in pieces of a millilitre at least; no skin, where air and tissue mix."""
    smooth = ndimage.gaussian_filter(hu, [_SMOOTHING_MM / mm for mm in spacing])
    inside = (smooth > LUNG_HU[0]) & (smooth < LUNG_HU[1])
    labels, count = ndimage.label(ndimage.distance_transform_edt(inside, spacing) > _SKIN_MM)
    millilitres = np.bincount(labels.ravel(), minlength=count + 1) * float(np.prod(spacing)) / 1000
    kept = millilitres >= _SMALLEST_ML
    kept[0] = False
    if not kept.any():
        return np.zeros_like(inside)
    near = ndimage.distance_transform_edt(~kept[labels], spacing) <= 2 * _SKIN_MM
    return np.asarray(inside & near)


def vessels(
    hu: Float[ndarray, "z y x"], lung: Bool[ndarray, "z y x"], spacing: Axes3
) -> Bool[ndarray, "z y x"]:
    """What lung surrounds and is denser than it.

    Args:
        hu: the volume.
        lung: of `lungs`.
        spacing: of the voxels, mm.
    """
    if not lung.any():
        return np.zeros_like(lung)
    near = ndimage.distance_transform_edt(~lung, spacing) <= _CLOSING_MM
    closed = (
        ndimage.distance_transform_edt(np.pad(near, 1, mode="edge"), spacing)[1:-1, 1:-1, 1:-1] > _CLOSING_MM
    )
    return np.asarray((closed | lung) & (hu > VESSEL_HU))


def dice(found: Bool[ndarray, "z y x"], true: Bool[ndarray, "z y x"]) -> float | None:
    """Twice what both share over what both have; None where the truth has nothing."""
    if not true.any():
        return None
    return float(2 * np.count_nonzero(found & true) / (np.count_nonzero(found) + np.count_nonzero(true)))

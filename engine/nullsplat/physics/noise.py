"""How noisy a CT volume is, from itself."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

from nullsplat.core.errors import GeometryError

DEVIATION_PER_MAD = 1.4826
"""Standard deviation of a normal variable whose median absolute deviation is 1."""

SOFT_TISSUE_HU = (-200.0, 200.0)
ENOUGH = 1000
"""Pixels that make the estimate good to about 4 %."""

_SECOND_DIFFERENCE = np.array([1, -2, 1]) / np.sqrt(6)  # white noise keeps its deviation
_FLATTEST = 0.05


def estimate_noise(hu: Float[ndarray, "z y x"]) -> float:
    """Standard deviation of white noise that holds as much at the highest frequencies of the slices, in HU.

    Noise that a soft kernel has correlated is about twice as strong (docs/adr/0034).

    The second difference along rows and columns is blind to all that varies along one of them only, and looks
    where the measured image holds least: at the highest frequencies. It is taken where a smoothed copy of the
    image, which hardly knows of them, is flattest, because at low resolution structure reaches them too.

    Args:
        hu: low-resolution volume in HU.
    Raises:
        GeometryError: the slices are smaller than 3x3 pixels.
    Source: the filter is Immerkaer's (1996, "Fast noise variance estimation"); the median absolute deviation
        instead of the mean leaves out the edges that remain.
    """
    if min(hu.shape[1:]) < 3:
        raise GeometryError(f"noise can be estimated in slices of at least 3x3 pixels, got {hu.shape}")
    return float(DEVIATION_PER_MAD * np.median(np.abs(highest_frequencies(hu)[flat_tissue(hu)])))


def highest_frequencies(hu: Float[ndarray, "z y x"]) -> Float[ndarray, "z y x"]:
    """The second difference along rows and columns, in which white noise keeps its deviation."""
    highest: ndarray = ndimage.correlate1d(
        ndimage.correlate1d(hu, _SECOND_DIFFERENCE, 1), _SECOND_DIFFERENCE, 2
    )
    return highest


def flat_tissue(hu: Float[ndarray, "z y x"]) -> Bool[ndarray, "z y x"]:
    """The flattest pixels of soft tissue; of everything, where there is next to no soft tissue."""
    smooth = ndimage.gaussian_filter(hu, (0, 1.5, 1.5))
    steepness = sum(np.square(slope) for slope in np.gradient(smooth, axis=(1, 2)))
    steepness = ndimage.uniform_filter(steepness, (0, 5, 5))
    tissue = (smooth > SOFT_TISSUE_HU[0]) & (smooth < SOFT_TISSUE_HU[1])
    if np.count_nonzero(tissue) < ENOUGH:
        tissue = np.ones_like(tissue)
    candidates = steepness[tissue]
    wanted = min(max(int(_FLATTEST * candidates.size), ENOUGH), candidates.size)
    flat: ndarray = tissue & (steepness <= np.partition(candidates, wanted - 1)[wanted - 1])
    return flat

"""Whether neighbouring slices fit together, which the paper's readers missed most."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import GeometryError
from nullsplat.evaluation.metrics.scores import CLIP_HU


def slice_difference_power(hu: Float[ndarray, "z y x"]) -> float:
    """Mean square difference between neighbouring slices in HU^2, after clipping to [-512, 3071] HU.

    Raises:
        GeometryError: a single slice.
    """
    if hu.shape[0] < 2:
        raise GeometryError(f"differences between slices need two slices, got {hu.shape[0]}")
    steps = np.diff(np.clip(hu, *CLIP_HU), axis=0)
    return float(np.mean(np.square(steps), dtype=np.float64))


def slice_consistency(result: Float[ndarray, "z y x"], truth: Float[ndarray, "z y x"]) -> float:
    """Power of the differences between neighbouring slices of the result, relative to the truth's.

    1 is as much change from slice to slice as there is; below, the result is smoother along z than the truth;
    above, its slices jump. NaN for a truth that does not change along z.

    Raises:
        GeometryError: a single slice.
    """
    there = slice_difference_power(truth)
    return slice_difference_power(result) / there if there > 0 else float("nan")

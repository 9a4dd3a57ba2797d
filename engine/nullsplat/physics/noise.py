"""How noisy a CT volume is, from itself."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import GeometryError

DEVIATION_PER_MAD = 1.4826
"""Standard deviation of a normal variable whose median absolute deviation is 1."""

SOFT_TISSUE_HU = (-200.0, 200.0)
ENOUGH = 1000
"""Pixel blocks that make the estimate good to about 3 %."""


def estimate_noise(hu: Float[ndarray, "z y x"]) -> float:
    """Standard deviation of the white noise within the slices, in HU.

    A diagonal difference over 2x2 pixels is blind to anything that varies along rows or columns only, its
    median absolute deviation to the few places where edges run diagonally. It is taken in soft tissue, where
    structure is weak; in a volume with next to none of it, everywhere.

    Args:
        hu: low-resolution volume in HU.
    Raises:
        GeometryError: the slices are smaller than 2x2 pixels.
    Source: Donoho and Johnstone 1994, "Ideal spatial adaptation by wavelet shrinkage", with the finest diagonal
        Haar wavelet.
    """
    if min(hu.shape[1:]) < 2:
        raise GeometryError(f"noise can be estimated in slices of at least 2x2 pixels, got {hu.shape}")
    rows, columns = (n // 2 * 2 for n in hu.shape[1:])
    blocks = hu[:, :rows, :columns].reshape(hu.shape[0], rows // 2, 2, columns // 2, 2)
    diagonal = (
        blocks[:, :, 0, :, 0] + blocks[:, :, 1, :, 1] - blocks[:, :, 0, :, 1] - blocks[:, :, 1, :, 0]
    ) / 2
    mean = blocks.mean(axis=(2, 4))
    tissue = (mean > SOFT_TISSUE_HU[0]) & (mean < SOFT_TISSUE_HU[1])
    chosen = diagonal[tissue] if np.count_nonzero(tissue) >= ENOUGH else diagonal.ravel()
    return float(DEVIATION_PER_MAD * np.median(np.abs(chosen)))

"""Lanczos interpolation, the sharpest of the common interpolations; written for the tables, not for the engine."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from nullsplat.physics.mode_product import apply_along_axes

LOBES = 3


def upsample_lanczos(y: Float[ndarray, "_ _ _"], hr_shape: Sequence[int]) -> Float[ndarray, "_ _ _"]:
    """Separable Lanczos interpolation with three lobes onto the grid of `physics.upsampling`.

    Args:
        y: samples.
        hr_shape: voxels along each axis.
    """
    matrices = [
        None if n == m else torch.from_numpy(lanczos_matrix(n, m).astype(y.dtype))
        for n, m in zip(y.shape, hr_shape, strict=True)
    ]
    return apply_along_axes(torch.from_numpy(y), matrices).numpy()


def lanczos_matrix(n_lr: int, n_hr: int) -> Float[ndarray, "hr lr"]:
    """Interpolation along one axis; each row sums to 1.

    Voxel j lies at sample p = (j + 1/2) / s - 1/2 and takes sample k with weight L(p - k), where
    L(t) = sinc(t) sinc(t / 3) for |t| < 3. Samples beyond an end have the value of the last one.
    Source: Duchon 1979, "Lanczos filtering in one and two dimensions".
    """
    position = (np.arange(n_hr) + 0.5) * (n_lr / n_hr) - 0.5
    taps = np.floor(position).astype(int)[:, None] + np.arange(1 - LOBES, LOBES + 1)
    distance = position[:, None] - taps
    weights = np.where(np.abs(distance) < LOBES, np.sinc(distance) * np.sinc(distance / LOBES), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((n_hr, n_lr))
    np.add.at(matrix, (np.arange(n_hr)[:, None], np.clip(taps, 0, n_lr - 1)), weights)
    return matrix

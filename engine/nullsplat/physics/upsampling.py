"""Interpolation onto the high-resolution grid, separable, as one small matrix per axis."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from nullsplat.core.errors import GeometryError
from nullsplat.physics.mode_product import apply_along_axes


def upsample_cubic(y: Float[Tensor, "*lr"], hr_shape: Sequence[int]) -> Float[Tensor, "*hr"]:
    """Cubic B-spline interpolation, equal to scipy's `map_coordinates(order=3, mode="nearest")`.

    Args:
        y: samples; the last `len(hr_shape)` axes are interpolated.
        hr_shape: voxels along those axes; voxel j lies at sample (j + 1/2) / s - 1/2.
    Raises:
        GeometryError: fewer axes in `y` than in `hr_shape`.
    """
    return _upsample(y, hr_shape, 3)


def upsample_linear(y: Float[Tensor, "*lr"], hr_shape: Sequence[int]) -> Float[Tensor, "*hr"]:
    """Linear interpolation on the same grid as `upsample_cubic`.

    Raises:
        GeometryError: fewer axes in `y` than in `hr_shape`.
    """
    return _upsample(y, hr_shape, 1)


def _upsample(y: Float[Tensor, "*lr"], hr_shape: Sequence[int], order: int) -> Float[Tensor, "*hr"]:
    if len(hr_shape) > y.ndim:
        raise GeometryError(f"cannot interpolate {len(hr_shape)} axes of a tensor with {y.ndim}")
    lr_shape = y.shape[y.ndim - len(hr_shape) :]
    matrices = [
        None if n == m else interpolation_matrix(n, m, order).to(y.device, y.dtype)
        for n, m in zip(lr_shape, hr_shape, strict=True)
    ]
    return apply_along_axes(y, matrices)


@lru_cache(maxsize=32)
def interpolation_matrix(n_lr: int, n_hr: int, order: int) -> Float[Tensor, "hr lr"]:
    """Spline interpolation along one axis as a matrix, double precision.

    Spline prefilter, border rule and evaluation are all linear, so that scipy's answer to each unit vector
    is a column; it thereby is scipy's definition, not a copy of it.

    Args:
        n_lr: samples.
        n_hr: voxels.
        order: 1 or 3.
    """
    position = (np.arange(n_hr) + 0.5) * (n_lr / n_hr) - 0.5
    columns = [
        ndimage.map_coordinates(unit, position[None], order=order, mode="nearest") for unit in np.eye(n_lr)
    ]
    return torch.from_numpy(np.stack(columns, axis=1))

"""How much finer a result is than interpolation: its energy beyond the resolution of the source."""

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.physics.cosine import cosine_transform
from nullsplat.physics.upsampling import upsample_cubic

ROUNDING_HU = 0.01
"""Interpolation whose energy there is below this RMS over the volume has none but rounding errors."""


def high_frequency_energy(x: Float[Tensor, "z y x"], low: torch.Size) -> float:
    """Energy of what a grid of `low` samples over the same extent cannot hold, in units of x squared.

    The k-th function of the cosine basis has k half waves over the extent, and n samples tell n of them apart.

    Args:
        x: a volume.
        low: samples along each axis of the coarser grid.
    """
    spectrum = cosine_transform(x)
    z, y, x_ = low
    spectrum[:z, :y, :x_] = 0
    return float(torch.linalg.vector_norm(spectrum, dtype=torch.float64).square())


def high_frequency_gain(hu: Float[Tensor, "z y x"], lr_hu: Float[Tensor, "m n o"]) -> float | None:
    """That energy of a result over that of cubic interpolation; None where interpolation has none to speak of.

    Args:
        hu: the result.
        lr_hu: the source.
    """
    interpolated = high_frequency_energy(upsample_cubic(lr_hu, hu.shape), lr_hu.shape)
    if interpolated < ROUNDING_HU**2 * hu.numel():
        return None
    return high_frequency_energy(hu, lr_hu.shape) / interpolated

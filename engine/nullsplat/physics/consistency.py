"""The reality check in three dimensions: downsampling the result must give the input back, within its noise."""

from functools import lru_cache

import numpy as np
import scipy.fft
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nullsplat.physics.degradation import Separable
from nullsplat.physics.mode_product import apply_along_axes

SHELLS = 32


def residual(x: Float[Tensor, "*hr"], y: Float[Tensor, "*lr"], op: Separable) -> Float[Tensor, "*lr"]:
    """y - D x: how far the result is from the measurement, in the measurement's unit."""
    return y - op.forward(x)


def consistent(
    x: Float[Tensor, "*hr"], y: Float[Tensor, "*lr"], op: Separable, sigma: float = 0.0
) -> Float[Tensor, "*hr"]:
    """One step of consistency with the measurement: x + D^+ W (y - D x).

    Args:
        x: estimate.
        y: measurement, same unit.
        op: the degradation D.
        sigma: standard deviation of the white noise in `y`; 0 makes the step exact (W = 1, D x = y after it).
    Raises:
        GeometryError: `x` or `y` does not fit `op`.
    """
    difference = residual(x, y, op)
    if sigma > 0:
        difference = remove_noise(difference, sigma)
    return x + op.pinv(difference)


def remove_noise(difference: Float[Tensor, "*lr"], sigma: float) -> Float[Tensor, "*lr"]:
    """Wiener estimate of what a residual holds beyond white noise: gain max(0, 1 - sigma^2 / P) by frequency.

    P is the mean power of the residual in a shell of equal radial frequency, in an orthonormal cosine basis,
    where white noise has power sigma^2 everywhere. A residual that is all noise is left out as a whole.

    Args:
        difference: residual on the low-resolution grid.
        sigma: standard deviation of the noise, same unit.
    """
    bases = [cosine_basis(n).to(difference.device, difference.dtype) for n in difference.shape]
    spectrum = apply_along_axes(difference, bases)
    shell = _shells(tuple(difference.shape)).to(difference.device)
    power = _smoothed_power(spectrum, shell)
    gain = (1 - sigma**2 / power.clamp_min(sigma**2)).to(difference.dtype)
    spectrum *= gain[shell]
    return apply_along_axes(spectrum, [basis.T for basis in bases])


@lru_cache(maxsize=16)
def cosine_basis(n: int) -> Float[Tensor, "n n"]:
    """Orthonormal discrete cosine transform (type II) as a matrix, double precision."""
    return torch.from_numpy(scipy.fft.dct(np.eye(n), axis=0, norm="ortho"))


@lru_cache(maxsize=2)
def _shells(shape: tuple[int, ...]) -> Int[Tensor, "*shape"]:
    """Shell of each cosine component, by its frequency relative to the highest that the grid holds."""
    squared = torch.zeros(())
    for n in shape:
        squared = squared[..., None] + (torch.arange(n) / n) ** 2
    return (torch.sqrt(squared / len(shape)) * SHELLS).to(torch.int32)


def _smoothed_power(spectrum: Float[Tensor, "*lr"], shell: Int[Tensor, "*lr"]) -> Float[Tensor, " shells"]:
    """Mean power of each shell and its two neighbours, neighbours counting half."""
    index = shell.flatten()
    count = torch.bincount(index, minlength=SHELLS).double()
    total = torch.bincount(index, weights=spectrum.flatten().square(), minlength=SHELLS).double()
    kernel = torch.tensor([[[0.5, 1.0, 0.5]]], dtype=torch.float64, device=spectrum.device)
    smooth = torch.nn.functional.conv1d(torch.stack([total, count])[:, None], kernel, padding=1)[:, 0]
    return smooth[0] / smooth[1].clamp_min(1)

"""The data-consistency step in three dimensions: downsampling the result must give the input back, within its noise."""

import math
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nullsplat.physics.cosine import cosine_transform, inverse_cosine_transform
from nullsplat.physics.degradation import Separable

SHELLS = 32

_NEIGHBOURHOODS = (3, 5)  # samples along each axis
_ONCE_IN_A_THOUSAND = 3.1  # standard deviations of the mean of squares


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
    return x + correction(x, y, op, sigma)


def suppress_inconsistent(
    x: Float[Tensor, "z y x"], y: Float[Tensor, "m n o"], op: Separable, sigma: float
) -> Float[Tensor, "z y x"]:
    """Take out of `x` what the measurement excludes in some place, though not on the whole: x + D^+ G (y - D x).

    `consistent` compares powers over the whole volume, in which a small structure that is not there, or one that is
    missing, drowns. G compares them in the neighbourhood of every sample and lets through what is beyond chance.

    Args:
        x: estimate that agrees with the measurement on the whole.
        y: measurement, same unit.
        op: the degradation D.
        sigma: standard deviation of the white noise in `y`; 0 makes the step exact.
    Raises:
        GeometryError: `x` or `y` does not fit `op`.
    """
    difference = residual(x, y, op)
    return x + op.pinv(difference * _significance(difference, sigma) if sigma > 0 else difference)


def _significance(difference: Float[Tensor, "m n o"], sigma: float) -> Float[Tensor, "m n o"]:
    """Wiener gain max(0, 1 - c sigma^2 / P), P the mean power of a neighbourhood; the largest over their widths.

    c is the power that a neighbourhood of pure noise stays below but once in a thousand.
    """
    squared = difference.square()
    gains = []
    for width in _NEIGHBOURHOODS:
        sizes = [min(width, (n - 1) // 2 * 2 + 1) for n in squared.shape]
        chance = 1 + _ONCE_IN_A_THOUSAND * (2 / math.prod(sizes)) ** 0.5
        power = _neighbourhood_mean(squared, sizes).clamp_min(sigma**2)
        gains.append((1 - chance * sigma**2 / power).clamp_min(0))
    return torch.stack(gains).amax(0)


def _neighbourhood_mean(x: Float[Tensor, "m n o"], sizes: list[int]) -> Float[Tensor, "m n o"]:
    """Mean over a box of odd `sizes` about each sample; at the border, over what there is of it."""
    mean = x[None, None]
    for axis, size in enumerate(sizes):
        kernel = [size if i == axis else 1 for i in range(3)]
        padding = [k // 2 for k in kernel]
        mean = torch.nn.functional.avg_pool3d(mean, kernel, 1, padding, count_include_pad=False)
    return mean[0, 0]


def correction(
    x: Float[Tensor, "*hr"], y: Float[Tensor, "*lr"], op: Separable, sigma: float = 0.0
) -> Float[Tensor, "*hr"]:
    """What `consistent` adds to `x`: D^+ W (y - D x)."""
    difference = residual(x, y, op)
    return op.pinv(remove_noise(difference, sigma) if sigma > 0 else difference)


def remove_noise(difference: Float[Tensor, "*lr"], sigma: float) -> Float[Tensor, "*lr"]:
    """Wiener estimate of what a residual holds beyond white noise: gain max(0, 1 - sigma^2 / P) by frequency.

    P is the mean power of the residual in a shell of equal radial frequency, in an orthonormal cosine basis,
    where white noise has power sigma^2 everywhere. A residual that is all noise is left out as a whole.

    Args:
        difference: residual on the low-resolution grid.
        sigma: standard deviation of the noise, same unit.
    """
    spectrum = cosine_transform(difference)
    shell = _shells(tuple(difference.shape), difference.device)
    power = _smoothed_power(spectrum, shell)
    gain = (1 - sigma**2 / power.clamp_min(sigma**2)).to(difference.dtype)
    spectrum *= gain[shell]
    return inverse_cosine_transform(spectrum)


@lru_cache(maxsize=2)
def _shells(shape: tuple[int, ...], device: torch.device) -> Int[Tensor, "*shape"]:
    """Shell of each cosine component, by its frequency relative to the highest that the grid holds."""
    squared = torch.zeros((), device=device)
    for n in shape:
        squared = squared[..., None] + (torch.arange(n, device=device) / n) ** 2
    return (torch.sqrt(squared / len(shape)) * SHELLS).to(torch.int32)


def _smoothed_power(spectrum: Float[Tensor, "*lr"], shell: Int[Tensor, "*lr"]) -> Float[Tensor, " shells"]:
    """Mean power of each shell and its two neighbours, neighbours counting half."""
    index = shell.flatten()
    count = torch.bincount(index, minlength=SHELLS).double()
    total = torch.bincount(index, weights=spectrum.flatten().square(), minlength=SHELLS).double()
    kernel = torch.tensor([[[0.5, 1.0, 0.5]]], dtype=torch.float64, device=spectrum.device)
    smooth = torch.nn.functional.conv1d(torch.stack([total, count])[:, None], kernel, padding=1)[:, 0]
    return smooth[0] / smooth[1].clamp_min(1)

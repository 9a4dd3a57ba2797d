"""The data-consistency step in three dimensions: downsampling the result must give the input back, within its noise."""

import math
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nullsplat.physics.cosine import cosine_transform, inverse_cosine_transform
from nullsplat.physics.degradation import Separable

SHELLS = 32

_AT_ONCE = 1 << 18
"""Components whose powers are looked at together, so that nothing of the volume's size is allocated for them."""

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
    held = x.clone(memory_format=torch.contiguous_format)
    make_consistent(held, y, op, sigma)
    return held


def make_consistent(
    x: Float[Tensor, "*hr"], y: Float[Tensor, "*lr"], op: Separable, sigma: float = 0.0
) -> None:
    """`consistent` in place; `x` must be contiguous."""
    difference = residual(x, y, op)
    op.add_pinv(x, remove_noise(difference, sigma) if sigma > 0 else difference)


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
    held = x.clone(memory_format=torch.contiguous_format)
    op.add_pinv(held, difference * _significance(difference, sigma) if sigma > 0 else difference)
    return held


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


def remove_noise(difference: Float[Tensor, "*lr"], sigma: float) -> Float[Tensor, "*lr"]:
    """Wiener estimate of what a residual holds beyond white noise: gain max(0, 1 - sigma^2 / P) by frequency.

    P is the mean power of the residual in a shell of equal radial frequency, in an orthonormal cosine basis,
    where white noise has power sigma^2 everywhere. A residual that is all noise is left out as a whole.

    Args:
        difference: residual on the low-resolution grid; on the CPU it is overwritten.
        sigma: standard deviation of the noise, same unit.
    """
    spectrum = cosine_transform(difference, overwrite=True)
    shell, count = _shells(tuple(difference.shape), difference.device)
    parts = list(zip(torch.split(spectrum.view(-1), _AT_ONCE), torch.split(shell, _AT_ONCE), strict=True))
    power = _smoothed(torch.stack([_power(part, shells) for part, shells in parts]).sum(0), count)
    gain = (1 - sigma**2 / power.clamp_min(sigma**2)).to(difference.dtype)
    for part, shells in parts:
        part.mul_(gain.index_select(0, shells))
    return inverse_cosine_transform(spectrum)


@lru_cache(maxsize=2)
def _shells(
    shape: tuple[int, ...], device: torch.device
) -> tuple[Int[Tensor, " size"], Float[Tensor, " shells"]]:
    """Shell of each cosine component, by its frequency relative to the highest that the grid holds; how many each has."""
    squared = torch.zeros((), device=device)
    for n in shape:
        squared = squared[..., None] + (torch.arange(n, device=device) / n) ** 2
    shell = (torch.sqrt(squared / len(shape)) * SHELLS).to(torch.int32).flatten()
    return shell, torch.bincount(shell, minlength=SHELLS).double()


def _power(part: Float[Tensor, " n"], shell: Int[Tensor, " n"]) -> Float[Tensor, " shells"]:
    """Summed by shell."""
    return torch.bincount(shell, weights=part.square(), minlength=SHELLS).double()


def _smoothed(total: Float[Tensor, " shells"], count: Float[Tensor, " shells"]) -> Float[Tensor, " shells"]:
    """Mean of each shell and its two neighbours, neighbours counting half."""
    kernel = torch.tensor([[[0.5, 1.0, 0.5]]], dtype=torch.float64, device=total.device)
    smooth = torch.nn.functional.conv1d(torch.stack([total, count])[:, None], kernel, padding=1)[:, 0]
    return smooth[0] / smooth[1].clamp_min(1)

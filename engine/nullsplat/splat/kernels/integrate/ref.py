"""Plain torch: every Gaussian at every pixel, gradients by autograd. Defines the answer."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

_PAIRS_AT_ONCE = 2**24
"""Pixel-Gaussian pairs held in memory at a time: 64 MiB in single precision."""


def integrate(
    means2d: Float[Tensor, "v n 2"],
    conics: Float[Tensor, "v n 3"],
    weights: Float[Tensor, "v n"],
    size: tuple[int, int],
    cutoff: float,
) -> Float[Tensor, "v rows columns"]:
    """See `kernels.integrate.integrate`."""
    chunk = max(1, _PAIRS_AT_ONCE // (size[0] * size[1]))
    images = []
    for view in zip(means2d, conics, weights, strict=True):
        image = means2d.new_zeros(size)
        for start in range(0, means2d.shape[1], chunk):
            part = [tensor[start : start + chunk] for tensor in view]
            image = image + checkpoint(_sum, *part, size, cutoff, use_reentrant=False)
        images.append(image)
    return torch.stack(images)


def _sum(means: Tensor, conics: Tensor, weights: Tensor, size: tuple[int, int], cutoff: float) -> Tensor:
    rows = torch.arange(size[0], device=means.device, dtype=means.dtype)
    columns = torch.arange(size[1], device=means.device, dtype=means.dtype)
    dx = (columns - means[:, :1])[:, None, :]
    dy = (rows - means[:, 1:])[:, :, None]
    a, b, c = (part[:, None, None] for part in conics.unbind(-1))
    q = a * dx**2 + 2 * b * dx * dy + c * dy**2
    seen = (q <= cutoff**2) & (a > 0) & (a * c - b**2 > 0)
    return (weights[:, None, None] * torch.exp(-0.5 * q.where(seen, 0)) * seen).sum(0)

"""Plain torch: every Gaussian at every voxel, gradients by autograd. Defines the answer."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

_PAIRS_AT_ONCE = 2**24
"""Voxel-Gaussian pairs held in memory at a time: 64 MiB in single precision."""


def voxelise(
    means: Float[Tensor, "n 3"],
    precisions: Float[Tensor, "n 6"],
    density: Float[Tensor, " n"],
    shape: tuple[int, int, int],
    cutoff: float,
) -> Float[Tensor, "z y x"]:
    """See `kernels.voxelise.voxelise`."""
    chunk = max(1, _PAIRS_AT_ONCE // (shape[1] * shape[2]))
    slices = []
    for z in range(shape[0]):
        total = means.new_zeros(shape[1:])
        for start in range(0, means.shape[0], chunk):
            part = [tensor[start : start + chunk] for tensor in (means, precisions, density)]
            total = total + checkpoint(_slice, *part, z, shape[1:], cutoff, use_reentrant=False)
        slices.append(total)
    return torch.stack(slices)


def _slice(
    means: Tensor, precisions: Tensor, density: Tensor, z: int, size: tuple[int, int], cutoff: float
) -> Float[Tensor, "y x"]:
    rows = torch.arange(size[0], device=means.device, dtype=means.dtype)
    columns = torch.arange(size[1], device=means.device, dtype=means.dtype)
    dx = (columns - means[:, :1])[:, None, :]
    dy = (rows - means[:, 1:2])[:, :, None]
    dz = (z - means[:, 2])[:, None, None]
    xx, xy, xz, yy, yz, zz = (part[:, None, None] for part in precisions.unbind(-1))
    q = xx * dx**2 + yy * dy**2 + zz * dz**2 + 2 * (xy * dx * dy + xz * dx * dz + yz * dy * dz)
    minor = xx * yy - xy**2
    det = zz * minor - xx * yz**2 - yy * xz**2 + 2 * xy * xz * yz
    seen = (q <= cutoff**2) & (xx > 0) & (minor > 0) & (det > 0)
    return (density[:, None, None] * torch.exp(-0.5 * q.where(seen, 0)) * seen).sum(0)

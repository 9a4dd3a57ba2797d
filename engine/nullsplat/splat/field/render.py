"""The field on a grid."""

import torch
from gsplat.cuda._torch_impl import _quat_scale_to_covar_preci
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.volume import Axes3
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.kernels.exponential import CUTOFF
from nullsplat.splat.kernels.voxelise import voxelise

Index3 = tuple[int, int, int]


def voxelise_field(
    gaussians: SignedGaussians, shape: Index3, spacing: Axes3, slab: int = 64
) -> Float[Tensor, "z y x"]:
    """The residual r in 1/mm at every voxel centre; one slab of slices at a time, so that memory stays bounded.

    Args:
        gaussians: the field.
        shape: voxels along (z, y, x); the grid is centred on the field's frame.
        spacing: mm along (z, y, x).
        slab: slices at a time.
    """
    out = gaussians.means.new_empty(shape)
    with torch.no_grad():
        for first in range(0, shape[0], slab):
            size = (min(slab, shape[0] - first), shape[1], shape[2])
            out[first : first + size[0]] = voxelise_crop(gaussians, shape, spacing, (first, 0, 0), size)
    return out


def voxelise_crop(
    gaussians: SignedGaussians, shape: Index3, spacing: Axes3, start: Index3, size: Index3
) -> Float[Tensor, "z y x"]:
    """A box of the grid, differentiable; only the Gaussians that can reach it are looked at.

    Args:
        gaussians: the field.
        shape: voxels of the whole grid along (z, y, x).
        spacing: mm along (z, y, x).
        start: first voxel of the box.
        size: voxels of the box.
    """
    near = _near(gaussians, shape, spacing, start, size)
    chosen = gaussians.select(near)
    millimetres = chosen.means.new_tensor(spacing[::-1])
    middle = chosen.means.new_tensor(
        [(n - 1) / 2 - first for n, first in zip(shape, start, strict=True)][::-1]
    )
    _, precisions = _quat_scale_to_covar_preci(
        chosen.quats, chosen.log_scales.exp(), compute_covar=False, compute_preci=True, triu=True
    )
    x, y, z = millimetres
    per_voxel = precisions * torch.stack([x * x, x * y, x * z, y * y, y * z, z * z])
    return voxelise(chosen.means / millimetres + middle, per_voxel, chosen.density, size)


@torch.no_grad()
def _near(gaussians: SignedGaussians, shape: Index3, spacing: Axes3, start: Index3, size: Index3) -> Tensor:
    """Indices of the Gaussians whose ball of `CUTOFF` largest deviations touches the box."""
    reach = gaussians.log_scales.amax(-1).exp() * CUTOFF
    touching = torch.ones_like(reach, dtype=torch.bool)
    for axis in range(3):
        position = gaussians.means[:, 2 - axis]
        low = (start[axis] - (shape[axis] - 1) / 2) * spacing[axis]
        high = low + (size[axis] - 1) * spacing[axis]
        touching &= (position + reach >= low) & (position - reach <= high)
    return touching.nonzero().squeeze(-1)

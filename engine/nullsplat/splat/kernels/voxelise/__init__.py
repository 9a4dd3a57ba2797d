"""Sum of 3-D Gaussians at the centres of a grid's voxels, whole or a crop."""

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.splat.kernels.dispatch import implementation
from nullsplat.splat.kernels.exponential import CUTOFF, MAX_CUTOFF


def voxelise(
    means: Float[Tensor, "n 3"],
    precisions: Float[Tensor, "n 6"],
    density: Float[Tensor, " n"],
    shape: tuple[int, int, int],
    cutoff: float = CUTOFF,
) -> Float[Tensor, "z y x"]:
    """A volume of signed Gaussians, differentiable in all three tensors.

    A Gaussian adds density * exp(-q/2), q = d^T P d, to every voxel with q <= cutoff^2. One whose precision
    is not positive definite adds nothing. The cut-off leaves out less than exp(-cutoff^2/2) of the density at a
    voxel, 3.4e-4 at 4, and 1.1e-3 of a Gaussian's mass (docs/kernels.md).

    Args:
        means: (x, y, z) in voxels of this grid; voxel centres are whole numbers.
        precisions: P as (xx, xy, xz, yy, yz, zz), per voxel^2.
        density: value at the centre, of either sign; the volume has its unit.
        shape: voxels along (z, y, x).
        cutoff: in standard deviations, at most 4. Gradients ignore that the border of the footprint moves.

    Raises:
        ConfigurationError: the cut-off is out of range.
    """
    if not 0 < cutoff <= MAX_CUTOFF:
        raise ConfigurationError(
            f"the cut-off must lie in (0, {MAX_CUTOFF}] standard deviations, got {cutoff}"
        )
    volume: Tensor = implementation(__name__, means).voxelise(means, precisions, density, shape, cutoff)
    return volume

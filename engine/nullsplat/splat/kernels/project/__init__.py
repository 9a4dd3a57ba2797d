"""Line integrals of 3-D Gaussians under a parallel beam are 2-D Gaussians on the detector, exactly."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from nullsplat.physics.projection.beam import ParallelBeam
from nullsplat.splat.kernels.project import cpu, ref


class Footprints(NamedTuple):
    """What the views see of the Gaussians.

    Attributes:
        means2d: (column, row) in detector pixels, whole numbers at pixel centres.
        conics: (a, b, c) of the inverse of J S J^T, per pixel^2.
        weights: line integral through the centre, rho sqrt(2 pi |S| / |J S J^T|), unitless.
    """

    means2d: Float[Tensor, "v n 2"]
    conics: Float[Tensor, "v n 3"]
    weights: Float[Tensor, "v n"]


def project(
    means: Float[Tensor, "n 3"],
    log_scales: Float[Tensor, "n 3"],
    quats: Float[Tensor, "n 4"],
    density: Float[Tensor, " n"],
    beam: ParallelBeam,
) -> Footprints:
    """Footprints of signed Gaussians in every view of a beam, differentiable in all four tensors.

    Args:
        means: (x, y, z) in mm, from the volume's centre.
        log_scales: logarithm of the standard deviations in mm.
        quats: rotation, wxyz, of any length but zero.
        density: value at the centre in 1/mm, of either sign.
        beam: views and detector.
    """
    implementation = ref if means.is_cuda else cpu
    return Footprints(*implementation.project(means, log_scales, quats, density, beam))

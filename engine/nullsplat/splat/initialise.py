"""Where the Gaussians start: at voxels of the residual, drawn in proportion to its strength, with either sign."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.volume import Axes3
from nullsplat.physics.beam import ParallelBeam
from nullsplat.physics.projector import Projector
from nullsplat.splat.gaussians import SignedGaussians, inverse_prelu


def back_project(
    residual: Float[Tensor, "v z u"], beam: ParallelBeam, shape: tuple[int, int, int], spacing: Axes3
) -> Float[Tensor, "z y x"]:
    """Filtered back-projection of residual projections, 1/mm: coarse, but right about place, sign and size.

    Args:
        residual: unitless line integrals; views spread over [0, pi).
        beam: their views.
        shape: of the volume, (z, y, x).
        spacing: mm along (z, y, x).
    Source: Kak & Slaney 1988, chapter 3; the ramp is windowed by Hann's cosine, because few views alias.
    """
    padded = 2 * beam.columns
    frequency = torch.fft.rfftfreq(padded, beam.column_spacing, dtype=residual.dtype, device=residual.device)
    ramp = frequency * 0.5 * (1 + torch.cos(math.pi * frequency / frequency[-1]))
    filtered = torch.fft.irfft(torch.fft.rfft(residual, padded) * ramp, padded)[..., : beam.columns]
    # The adjoint gives a voxel the share of each ray that its area covers.
    share = beam.column_spacing / (spacing[1] * spacing[2])
    return Projector(beam, shape, spacing).adjoint(filtered.contiguous()) * (
        share * math.pi / len(beam.angles)
    )


def place(
    residual: Float[Tensor, "z y x"],
    spacing: Axes3,
    count: int,
    *,
    sigma: float,
    slope: float,
    generator: np.random.Generator,
) -> SignedGaussians:
    """Gaussians at voxels of a residual volume, with the residual there as density.

    Voxels are drawn systematically (one random offset, equal steps of the summed strength), so that no place
    gets more than its share and the draw depends on the seed alone.

    Args:
        residual: 1/mm.
        spacing: mm along (z, y, x).
        count: how many.
        sigma: standard deviation in voxels along each axis.
        slope: PReLU's slope for negative densities.
        generator: source of the offset and of the position within a voxel.
    """
    strength = residual.abs().flatten().cpu().numpy().astype(np.float64)
    reached = np.cumsum(strength + strength.mean() * 1e-3 + np.finfo(np.float64).tiny)
    picks = (np.arange(count) + generator.random()) * (reached[-1] / count)
    voxels = np.searchsorted(reached, picks, side="right").clip(max=strength.size - 1)
    index = np.stack(np.unravel_index(voxels, residual.shape), axis=-1)
    middle = (np.asarray(residual.shape) - 1) / 2
    jitter = generator.random((count, 3)) - 0.5
    positions = ((index - middle + jitter) * np.asarray(spacing))[:, ::-1]
    density = residual.flatten()[torch.from_numpy(voxels).to(residual.device)]
    slope_tensor = density.new_tensor(slope)
    log_scales = density.new_tensor(np.log(sigma * np.asarray(spacing)[::-1].copy())).expand(count, 3).clone()
    quats = density.new_zeros(count, 4)
    quats[:, 0] = 1
    means = torch.from_numpy(positions.copy()).to(density)
    return SignedGaussians(means, log_scales, quats, inverse_prelu(density, slope_tensor), slope_tensor)

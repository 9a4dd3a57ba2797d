"""Where the Gaussians start: at voxels of the residual, drawn in proportion to its strength, with either sign."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial.transform import Rotation
from torch import Tensor

from nullsplat.core.volume import Axes3
from nullsplat.physics.projection.beam import ParallelBeam
from nullsplat.physics.projection.projector import Projector
from nullsplat.splat.field.activation import activation
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.fit.config import FitConfig


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
    base: Float[Tensor, "z y x"],
    spacing: Axes3,
    config: FitConfig,
    generator: np.random.Generator,
) -> SignedGaussians:
    """Gaussians at voxels of a residual volume, with the residual there as density.

    Voxels are drawn systematically (one random offset, equal steps of the summed strength), so that no place
    gets more than its share and the draw depends on the seed alone. Where the activation cannot be negative, see
    `activation.LEAST_START`, the places are the same.

    Args:
        residual: 1/mm.
        base: what the residual refines; its edges turn and flatten the Gaussians.
        spacing: mm along (z, y, x).
        config: `count`, `voxels_each`, `sigma`, `flatness`, `slope` and `activation` are used.
        generator: source of the offset and of the position within a voxel.
    """
    count = config.count_for(residual.numel())
    index = _draw_voxels(residual, count, generator)
    middle = (np.asarray(residual.shape) - 1) / 2
    jitter = generator.random((count, 3)) - 0.5
    positions = (index - middle + jitter) * np.asarray(spacing)
    k, j, i = torch.from_numpy(index).to(residual.device).unbind(-1)
    density = residual[k, j, i]
    slope = density.new_tensor(config.slope)
    deviations, quats = _shapes(_edge_normals(base, index), spacing, config.sigma, config.flatness)
    arrays = (positions[:, ::-1].copy(), np.log(deviations), quats)
    means, log_scales, quaternions = (torch.from_numpy(array).to(density) for array in arrays)
    chosen = activation(config.activation)
    return SignedGaussians(means, log_scales, quaternions, chosen.inverse(density, slope), slope, chosen)


def _draw_voxels(
    residual: Float[Tensor, "z y x"], count: int, generator: np.random.Generator
) -> Int[ndarray, "n 3"]:
    """Indices (z, y, x), each voxel about as often as its share of the summed strength."""
    strength = residual.abs().flatten().cpu().numpy()
    # A little for every voxel, so that a residual without any strength can be drawn from as well.
    strength += strength.mean() * 1e-3 + np.finfo(strength.dtype).tiny
    reached = np.cumsum(strength, dtype=np.float64)
    picks = (np.arange(count) + generator.random()) * (reached[-1] / count)
    voxels = np.searchsorted(reached, picks, side="right").clip(max=strength.size - 1)
    return np.stack(np.unravel_index(voxels, residual.shape), axis=-1)


def _edge_normals(base: Float[Tensor, "z y x"], index: Int[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    """Unit normals (x, y, z), in voxels, of the base's edges at some voxels; zero where it is flat."""
    volume = base.cpu().numpy()
    gradient = np.empty(index.shape)
    for axis in range(3):
        step = np.eye(3, dtype=index.dtype)[axis]
        after = tuple((index + step).clip(max=np.asarray(volume.shape) - 1).T)
        before = tuple((index - step).clip(min=0).T)
        gradient[:, 2 - axis] = volume[after] - volume[before]
    length = np.linalg.norm(gradient, axis=-1, keepdims=True)
    normals: ndarray = np.divide(gradient, length, out=np.zeros_like(gradient), where=length > 0)
    return normals


def _shapes(
    normals: Float[ndarray, "n 3"], spacing: Axes3, sigma: float, flatness: float
) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n 4"]]:
    """Deviations in mm and quaternions of discs that lie in the edges.

    A disc is `flatness` times as wide as it is thick, in voxels, with the volume of a ball of deviation `sigma`.
    """
    wide, thick = sigma * flatness ** (1 / 3), sigma * flatness ** (-2 / 3)
    known = (normals**2).sum(-1)[:, None, None]  # 1, or 0 where there is no edge
    across = normals[:, :, None] * normals[:, None, :]
    disc = known * wide**2 * np.eye(3) + (thick**2 - wide**2) * across
    covariance = disc + (1 - known) * sigma**2 * np.eye(3)
    millimetres = np.asarray(spacing)[::-1]
    variances, axes = np.linalg.eigh(covariance * np.outer(millimetres, millimetres))
    axes *= np.sign(np.linalg.det(axes))[:, None, None]  # a rotation, not a reflection
    return np.sqrt(variances), Rotation.from_matrix(axes).as_quat(scalar_first=True)

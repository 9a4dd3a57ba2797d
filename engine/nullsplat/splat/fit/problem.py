"""What a field is fitted to, and how badly it fits."""

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Axes3
from nullsplat.physics.projection.beam import ParallelBeam
from nullsplat.splat.field.activation import DENSITY_RANGE
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.render import voxelise_crop
from nullsplat.splat.fit.config import FitConfig
from nullsplat.splat.fit.loss import StructuralSimilarity, half_ramp, total_variation
from nullsplat.splat.kernels.integrate import integrate
from nullsplat.splat.kernels.project import Footprints, project

_LEAST_SQUARE = 1e-14
"""(1e-7 / mm)^2: keeps the root's gradient finite at a perfect fit."""


class ResidualProblem:
    """Residual projections to be explained, and the base volume whose sum with the field must stay smooth."""

    def __init__(
        self,
        target: Float[Tensor, "v z u"],
        beam: ParallelBeam,
        base: Float[Tensor, "z y x"],
        spacing: Axes3,
        base_projections: Float[Tensor, "v z u"],
        weights: Float[Tensor, "v z u"] | None = None,
    ) -> None:
        """Gather and scale the data.

        Args:
            target: projections minus projected base, unitless line integrals.
            beam: their views.
            base: base volume in 1/mm.
            spacing: mm along (z, y, x).
            base_projections: projected base, unitless.
            weights: trust in each pixel, at least 0; only their proportions matter.

        Raises:
            GeometryError: shapes disagree, or no pixel has any weight.
        """
        for name, tensor in (
            ("target", target),
            ("base_projections", base_projections),
            ("weights", weights),
        ):
            if tensor is not None and tuple(tensor.shape) != beam.shape:
                raise GeometryError(
                    f"{name} must have the beam's shape {beam.shape}, got {tuple(tensor.shape)}"
                )
        if weights is not None and not float(weights.sum()) > 0:
            raise GeometryError(
                "at least one pixel must have a weight above 0, all are 0; leave the weights out"
            )
        self.target, self.beam, self.base, self.spacing = target, beam, base, spacing
        whole = base_projections + target
        self._scale = 1 / max(float(whole.abs().max()), torch.finfo(whole.dtype).tiny)
        self._base_projections = base_projections * self._scale
        self._similarity = StructuralSimilarity(whole * self._scale)
        self._half_ramp = half_ramp(beam.columns, beam.column_spacing, whole)
        self._weights = None if weights is None else weights / weights.mean()

    @property
    def grid(self) -> tuple[int, int, int]:
        """Voxels of the base along (z, y, x)."""
        nz, ny, nx = self.base.shape
        return nz, ny, nx

    @property
    def trusted_target(self) -> Float[Tensor, "v z u"]:
        """The target, drawn towards zero where it is trusted less than elsewhere."""
        return self.target if self._weights is None else self.target * (self._weights / self._weights.max())

    def footprints(self, field: SignedGaussians, views: Tensor) -> Footprints:
        """What the views see of the field."""
        beam = beam_of(self.beam, views.tolist())
        return project(field.means, field.log_scales, field.quats, field.density, beam)

    def volume_error(self, field: SignedGaussians, views: Tensor) -> Float[Tensor, ""]:
        """Root mean square error of the volume that some views reveal, in units of `DENSITY_RANGE`."""
        residual = integrate(*self.footprints(field, views), (self.beam.rows, self.beam.columns))
        return self._volume_error(residual - self.target[views], views)

    def projection_loss(self, footprints: Footprints, views: Tensor, config: FitConfig) -> Float[Tensor, ""]:
        """L1(p, p_hat) + L1(residual) + ramp RMSE + ssim (1 - SSIM).

        The base is projected exactly, so the two L1 terms of the paper's Eq. 5 have the same value: one, doubled.
        """
        residual = integrate(*footprints, (self.beam.rows, self.beam.columns))
        error = residual - self.target[views]
        loss = config.l1 * self._scale * self._mean(error.abs(), views)
        if config.ramp > 0:
            loss = loss + config.ramp * self._volume_error(error, views)
        if config.ssim > 0:
            similarity = self._similarity(self._base_projections[views] + residual * self._scale, views)
            loss = loss + config.ssim * (1 - self._mean(similarity, views))
        return loss

    def smoothness_loss(
        self, field: SignedGaussians, config: FitConfig, generator: np.random.Generator
    ) -> Float[Tensor, ""]:
        """tv times the total variation of base + residual in a random crop."""
        nz, ny, nx = self.grid
        size = (min(config.tv_crop, nz), min(config.tv_crop, ny), min(config.tv_crop, nx))
        z, y, x = (int(generator.integers(n - m + 1)) for n, m in zip((nz, ny, nx), size, strict=True))
        residual = voxelise_crop(field, (nz, ny, nx), self.spacing, (z, y, x), size)
        base = self.base[z : z + size[0], y : y + size[1], x : x + size[2]]
        return config.tv * total_variation((base + residual) / DENSITY_RANGE, self.spacing)

    def _volume_error(self, error: Float[Tensor, "b z u"], views: Tensor) -> Float[Tensor, ""]:
        """Root mean square error of the volume, in units of `DENSITY_RANGE`, as far as these views reveal it."""
        if self._weights is not None:
            error = error * self._weights[views].sqrt()
        filtered = error @ self._half_ramp
        (_, ny, nx), (_, dy, dx) = self.grid, self.spacing
        area_ratio = math.pi * self.beam.columns * self.beam.column_spacing / (ny * dy * nx * dx)
        mean_square: Tensor = filtered.square().mean() * area_ratio
        error_rms: Tensor = (mean_square + _LEAST_SQUARE).sqrt()
        return error_rms * (1 / float(DENSITY_RANGE))

    def _mean(self, pixels: Float[Tensor, "b z u"], views: Tensor) -> Float[Tensor, ""]:
        return pixels.mean() if self._weights is None else (pixels * self._weights[views]).mean()


def beam_of(beam: ParallelBeam, views: list[int]) -> ParallelBeam:
    """The same detector with some of the views."""
    return replace(beam, angles=tuple(beam.angles[view] for view in views))

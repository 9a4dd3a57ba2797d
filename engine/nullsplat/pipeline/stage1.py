"""Stage 1 with an X-ray prior: projections at the wanted resolution, consistent with the measured ones."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress, silent
from nullsplat.core.units import HU_AIR, MU_WATER, hu_difference_to_mu, hu_to_mu
from nullsplat.physics.regularisation.saturation import saturation_floor
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.forward_model import ForwardModel
from nullsplat.pipeline.problem import Problem
from nullsplat.prior.normalisation import Normalisation, normalisation_for
from nullsplat.prior.xray.pipeline import Measurement, ProjectionDDNMPipeline

_BODY = 0.05


@dataclass(frozen=True)
class Projections:
    """What stage 1 hands on; line integrals, unitless.

    Attributes:
        mean: mean of the samples.
        deviation: standard deviation of the samples; zero for a single one.
        columns: of the measured detector; `ForwardModel.with_columns` gives the model whose `hr_beam` they belong to.
    """

    mean: Float[Tensor, "v z u"]
    deviation: Float[Tensor, "v z u"]
    columns: int

    def to(self, device: torch.device) -> "Projections":
        """The same on another device."""
        return replace(self, mean=self.mean.to(device), deviation=self.deviation.to(device))


@dataclass(frozen=True)
class MeasuredProjections:
    """Projections of the measured volume in the range of a prior: of what attenuates more than its emptiest voxels.

    Attributes:
        model: the forward model with a detector that ends where nothing is seen any more.
        empty_hu: what counts as nothing, see `empty_level`.
        normalisation: from line integrals to network range and back.
        measurement: in network range, with its noise.
    """

    model: ForwardModel
    empty_hu: float
    normalisation: Normalisation
    measurement: Measurement

    def encoded(self, hu: Float[Tensor, "z y x"]) -> Float[Tensor, "v z u"]:
        """Projections of a volume on the wanted grid (HU), in network range."""
        return self.normalisation.encode(self.model.project_hr(hu_difference_to_mu(hu - self.empty_hu)))

    def encoded_lines(self, lines: Float[Tensor, "v z u"]) -> Float[Tensor, "v z u"]:
        """Line integrals through whatever fills the wanted grid, in network range."""
        return self.normalisation.encode(lines - self._empty_lines)

    @property
    def _empty_lines(self) -> Float[Tensor, "v 1 u"]:
        return self.model.project_hr_constant(hu_to_mu(self.empty_hu))

    def reprojected_from(self, base_hu: Float[Tensor, "z y x"]) -> "MeasuredProjections":
        """The same measurement as a volume shows it that agrees with it in three dimensions: y = A P b.

        Where axial planes were degraded, projecting the measured volume itself interpolates between its samples,
        which is a blur that A does not know of, and sees what sampling has aliased (docs/adr/0010).
        """
        y = self.measurement.op.forward(self.encoded(base_hu))
        return replace(self, measurement=replace(self.measurement, y=y))

    def decoded(self, mean: Float[Tensor, "v z u"], deviation: Float[Tensor, "v z u"]) -> Projections:
        """What a prior made of them, as line integrals."""
        scale = self.normalisation.scale / 2
        lines = self.normalisation.decode(mean) + self._empty_lines
        return Projections(lines, deviation * scale, self.model.lr_beam.columns)


def measured_projections(problem: Problem) -> MeasuredProjections:
    """Project the measured volume of a problem."""
    empty_hu = empty_level(problem)
    seen = problem.model.project_lr(hu_difference_to_mu(problem.lr_hu - empty_hu))
    narrow = problem.model.narrowed(seen)
    seen = problem.model.centre_columns(seen, narrow)
    normalisation = normalisation_for(seen)
    noise = projection_noise(seen, problem.noise_hu, narrow.lr_beam.column_spacing)
    sigma_y = normalisation.encode_sigma(noise)
    measurement = Measurement(normalisation.encode(seen), narrow.projection_op, sigma_y)
    return MeasuredProjections(narrow, empty_hu, normalisation, measurement)


def empty_level(problem: Problem) -> float:
    """HU that a radiograph shows as nothing: air, or where the measurement was cut off above that.

    A volume that was clipped at -512 HU is to a projector a block of half the density of water with edges as sharp as
    nothing in a body, and no prior of X-rays has seen one.
    """
    floor = saturation_floor(problem.lr_hu, problem.noise_hu)
    return HU_AIR if floor is None else max(floor, HU_AIR)


def sample_projections(
    measured: MeasuredProjections,
    base_hu: Float[Tensor, "z y x"],
    prior: ProjectionDDNMPipeline,
    config: PipelineConfig,
    progress: Progress = silent,
) -> Projections:
    """Upsample the projections of the measured volume with an unconditional prior of X-rays.

    Args:
        measured: projections of the measured volume.
        base_hu: base volume in HU, which agrees with the measurement: what it shows is taken as measured, and its
            projections are the initial estimate where the preset wants one.
        prior: on the device that does the work.
        config: `sampling` and `seed` are used.
        progress: called after every batch of views.
    """
    measured = measured.reprojected_from(base_hu)
    start = None if config.sampling.start_sigma is None else measured.encoded(base_hu)
    sampled = prior(measured.measurement, config.sampling, start, config.seed, progress)
    return measured.decoded(sampled.mean, sampled.deviation)


def projection_noise(projections: Float[Tensor, "v m n"], noise_hu: float, step: float) -> float:
    """Standard deviation of a line integral through a volume with white noise.

    A ray of length L through voxels of size `step` adds L / step independent errors, each times `step`; L is
    taken as the mean water-equivalent length of the rays that meet the body.

    Args:
        projections: line integrals.
        noise_hu: standard deviation of the noise of a voxel in HU.
        step: voxel size along the ray in mm.
    """
    body = projections[projections > _BODY * projections.max()]
    length = float(body.mean()) / MU_WATER if body.numel() else step
    return hu_difference_to_mu(noise_hu) * math.sqrt(length * step)

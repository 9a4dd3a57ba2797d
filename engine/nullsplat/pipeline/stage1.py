"""Stage 1: the prior's idea of the projections at the wanted resolution, held to the measured ones."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress
from nullsplat.core.units import MU_WATER, hu_difference_to_mu, hu_to_mu
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.forward_model import ForwardModel
from nullsplat.prior.normalisation import Normalisation, normalisation_for
from nullsplat.prior.xray.pipeline import Measurement, ProjectionDDNMPipeline

_BODY = 0.05


@dataclass(frozen=True)
class Projections:
    """What stage 1 hands on; line integrals, unitless.

    Attributes:
        model: the forward model whose `hr_beam` they belong to.
        mean: mean of the samples.
        deviation: standard deviation of the samples; zero for a single one.
    """

    model: ForwardModel
    mean: Float[Tensor, "v z u"]
    deviation: Float[Tensor, "v z u"]


@dataclass(frozen=True)
class MeasuredProjections:
    """Projections of the measured volume in the range of a prior.

    Attributes:
        model: the forward model with a detector that ends where nothing is seen any more.
        normalisation: from line integrals to network range and back.
        measurement: in network range, with its noise.
    """

    model: ForwardModel
    normalisation: Normalisation
    measurement: Measurement

    def encoded(self, hu: Float[Tensor, "z y x"]) -> Float[Tensor, "v z u"]:
        """Projections of a volume on the wanted grid (HU), in network range."""
        return self.normalisation.encode(self.model.project_hr(hu_to_mu(hu)))

    def anchored(self, base_hu: Float[Tensor, "z y x"]) -> "MeasuredProjections":
        """The same measurement as a volume shows it that agrees with it in three dimensions: y = A P b.

        Where axial planes were degraded, projecting the measured volume itself interpolates between its samples,
        which is a blur that A does not know of, and sees what sampling has aliased (docs/adr/0010).
        """
        y = self.measurement.op.forward(self.encoded(base_hu))
        return replace(self, measurement=replace(self.measurement, y=y))

    def decoded(self, mean: Float[Tensor, "v z u"], deviation: Float[Tensor, "v z u"]) -> Projections:
        """What a prior made of them, as line integrals."""
        scale = self.normalisation.scale / 2
        return Projections(self.model, self.normalisation.decode(mean), deviation * scale)


def measured_projections(
    lr_hu: Float[Tensor, "m n o"], model: ForwardModel, noise_hu: float
) -> MeasuredProjections:
    """Project the measured volume.

    Args:
        lr_hu: measured volume in HU.
        model: the operators, with the full detector.
        noise_hu: standard deviation of the noise in `lr_hu`.
    """
    seen = model.project_lr(hu_to_mu(lr_hu))
    narrow = model.narrowed(seen)
    seen = model.centre_columns(seen, narrow)
    normalisation = normalisation_for(seen)
    sigma_y = normalisation.encode_sigma(projection_noise(seen, noise_hu, narrow.lr_beam.column_spacing))
    measurement = Measurement(normalisation.encode(seen), narrow.projection_op, sigma_y)
    return MeasuredProjections(narrow, normalisation, measurement)


def sample_projections(
    measured: MeasuredProjections,
    base_hu: Float[Tensor, "z y x"],
    prior: ProjectionDDNMPipeline,
    config: PipelineConfig,
    progress: Progress,
) -> Projections:
    """Upsample the projections of the measured volume with an unconditional prior of X-rays.

    Args:
        measured: projections of the measured volume.
        base_hu: base volume in HU; its projections are the first guess where the preset wants one, and where it
            agrees with the measurement, they are also what is taken as measured.
        prior: on the device that does the work.
        config: `sampling` and `seed` are used.
        progress: told after every batch of views.
    """
    if config.consistent_base:
        measured = measured.anchored(base_hu)
    start = None if config.sampling.start_sigma is None else measured.encoded(base_hu)
    sampled = prior(measured.measurement, config.sampling, start, config.seed, progress)
    return measured.decoded(sampled.mean, sampled.deviation)


def projections_of(measured: MeasuredProjections, base_hu: Float[Tensor, "z y x"]) -> Projections:
    """The base's own projections (base in HU), without a prior."""
    seen = measured.encoded(base_hu)
    return measured.decoded(seen, torch.zeros_like(seen))


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

"""Stage 1: the prior's idea of the projections at the wanted resolution, held to the measured ones."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress
from nullsplat.core.units import MU_WATER, hu_difference_to_mu, hu_to_mu
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.forward_model import ForwardModel
from nullsplat.prior import weights
from nullsplat.prior.ddnm import Measurement, ProjectionDDNMPipeline
from nullsplat.prior.normalisation import normalisation_for

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


def sample_projections(
    lr_hu: Float[Tensor, "m n o"],
    base_hu: Float[Tensor, "z y x"],
    model: ForwardModel,
    config: PipelineConfig,
    noise_hu: float,
    progress: Progress,
) -> Projections:
    """Upsample the projections of the measured volume.

    Args:
        lr_hu: measured volume in HU, on the device that does the work.
        base_hu: base volume in HU; its projections are the first guess where the preset wants one.
        model: the operators, with the full detector.
        config: `sampling` and `seed` are used.
        noise_hu: standard deviation of the noise in `lr_hu`.
        progress: told after every batch of views.

    Raises:
        WeightsError: the prior is missing or damaged.
    """
    measured = model.project_lr(hu_to_mu(lr_hu))
    narrow = model.narrowed(measured)
    measured = model.centre_columns(measured, narrow)
    normalisation = normalisation_for(measured)
    sigma_y = normalisation.encode_sigma(projection_noise(measured, noise_hu, narrow.lr_beam.column_spacing))
    start = None
    if config.sampling.start_sigma is not None:
        start = normalisation.encode(narrow.project_hr(hu_to_mu(base_hu)))
    unet, scheduler = weights.load()
    sampler = ProjectionDDNMPipeline(unet, scheduler).to(lr_hu.device)
    measurement = Measurement(normalisation.encode(measured), narrow.projection_op, sigma_y)
    sampled = sampler(measurement, config.sampling, start, config.seed, progress)
    return Projections(
        narrow, normalisation.decode(sampled.mean), sampled.deviation * (normalisation.scale / 2)
    )


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

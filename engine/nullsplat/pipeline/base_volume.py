"""The base volume of a run, and the reality check that ends it."""

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress
from nullsplat.physics import intensity
from nullsplat.physics.base import across_slices, bounded, regularised_base
from nullsplat.physics.consistency import exclude
from nullsplat.physics.total_variation import tv_reconstruct
from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.forward_model import ForwardModel


def base_volume(
    lr_hu: Float[Tensor, "m n o"],
    model: ForwardModel,
    config: PipelineConfig,
    noise_hu: float,
    progress: Progress,
) -> Float[Tensor, "z y x"]:
    """Cubic upsampling, and where the preset says so, total variation in agreement with the measurement.

    Args:
        lr_hu: measured volume in HU.
        model: the operators.
        config: `base` and `consistent_base` are used.
        noise_hu: standard deviation of the noise in `lr_hu`.
        progress: told after each iteration.

    Returns:
        The base in HU on the wanted grid.
    """
    if not config.consistent_base:
        return upsample_cubic(lr_hu, model.hr.shape).contiguous()
    settings = across_slices(config.base, model.hr.spacing) if config.thick_slices else config.base
    return regularised_base(lr_hu, model.volume_op, settings, noise_hu, progress)


def refine(
    hu: Float[Tensor, "z y x"],
    lr_hu: Float[Tensor, "m n o"],
    model: ForwardModel,
    config: PipelineConfig,
    noise_hu: float,
    progress: Progress,
) -> Float[Tensor, "z y x"]:
    """The reality check: bring a finished volume back to the measurement, within its noise.

    Args:
        hu: volume in HU after stage 2.
        lr_hu: measured volume in HU.
        model: the operators.
        config: `finish` is used.
        noise_hu: standard deviation of the noise in `lr_hu`.
        progress: told after each iteration.

    Returns:
        The volume in HU; degraded again, it differs from `lr_hu` by no more than noise.
    """
    sigma = noise_hu / intensity.RANGE_HU
    y = intensity.encode(lr_hu)
    settings = bounded(config.finish, y, sigma)
    checked = tv_reconstruct(y, model.volume_op, intensity.encode(hu), settings, sigma, progress)
    return intensity.decode(exclude(checked, y, model.volume_op, sigma).clamp_min(0))

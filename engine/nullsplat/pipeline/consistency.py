"""The end of a run: what stages 1 and 2 give, put together and brought back to the measurement."""

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress, part, silent
from nullsplat.core.units import LOWEST_HU
from nullsplat.physics import intensity
from nullsplat.physics.consistency import suppress_inconsistent
from nullsplat.physics.regularisation.base import with_saturation_floor
from nullsplat.physics.regularisation.total_variation import tv_reconstruct
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.problem import Problem


def combined(
    base_hu: Float[Tensor, "z y x"],
    residual_hu: Float[Tensor, "z y x"],
    refined_hu: Float[Tensor, "z y x"] | None,
    config: PipelineConfig,
) -> Float[Tensor, "z y x"]:
    """Base plus Gaussians, and the share of stage 1's voxel detail that they leave unexplained; in HU.

    Args:
        base_hu: base volume.
        residual_hu: what the field of stage 2 adds to it.
        refined_hu: stage 1's volume; None where its prior makes none.
        config: `detail` is used.
    """
    hu = base_hu + residual_hu
    if config.detail > 0 and refined_hu is not None:
        hu += config.detail * (refined_hu - hu)
    return hu.clamp_(min=LOWEST_HU)


def consistent_volume(
    problem: Problem, hu: Float[Tensor, "z y x"], config: PipelineConfig, progress: Progress = silent
) -> Float[Tensor, "z y x"]:
    """The data-consistency step: bring a combined volume back to the measurement, within its noise.

    Args:
        problem: what was measured.
        hu: volume in HU after stage 2.
        config: `finish` is used.
        progress: called after each iteration of `finish`, of which a preset may have none, and at the end.

    Returns:
        The volume in HU; degraded again, it differs from the measurement by no more than noise.
    """
    op, sigma = problem.model.volume_op, problem.noise_hu / intensity.RANGE_HU
    y = intensity.encode(problem.lr_hu)
    settings = with_saturation_floor(config.finish, y, sigma)
    checked = tv_reconstruct(y, op, intensity.encode(hu), settings, sigma, part(progress, 0, 0.9))
    hu = intensity.decode(suppress_inconsistent(checked, y, op, sigma).clamp_min(0))
    progress(1.0)
    return hu

"""The base volume of a run: everything that physics alone can give."""

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress, silent
from nullsplat.physics.regularisation.base import across_slices, regularised_base
from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.problem import Problem


def base_volume(
    problem: Problem, config: PipelineConfig, progress: Progress = silent
) -> Float[Tensor, "z y x"]:
    """Cubic upsampling, and where the preset says so, total variation consistent with the measurement.

    Args:
        problem: what was measured.
        config: `base` and `consistent_base` are used.
        progress: called after each iteration.

    Returns:
        The base in HU on the wanted grid.
    """
    model = problem.model
    if not config.consistent_base:
        return upsample_cubic(problem.lr_hu, model.hr.shape).contiguous()
    settings = across_slices(config.base, model.hr.spacing) if config.thick_slices else config.base
    return regularised_base(problem.lr_hu, model.volume_op, settings, problem.noise_hu, progress)

"""The base volume of a run: everything that physics alone can give."""

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress, silent
from nullsplat.physics.regularisation.base import across_slices, regularised_base
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.problem import Problem


def base_volume(
    problem: Problem, config: PipelineConfig, progress: Progress = silent
) -> Float[Tensor, "z y x"]:
    """Cubic upsampling made consistent with the measurement, by total variation where the preset has iterations of it.

    Args:
        problem: what was measured.
        config: `base` is used.
        progress: called after each iteration.

    Returns:
        The base in HU on the wanted grid.
    """
    model = problem.model
    settings = across_slices(config.base, model.hr.spacing) if config.thick_slices else config.base
    return regularised_base(problem.lr_hu, model.volume_op, settings, problem.noise_hu, progress)

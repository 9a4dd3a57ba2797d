"""Stage 1: what a prior, whatever its kind, makes of the base."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.progress import Progress, silent
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.problem import Problem
from nullsplat.pipeline.slab_stage import SlabStage, VolumePrior
from nullsplat.pipeline.stage1 import Projections, measured_projections, sample_projections
from nullsplat.prior.xray.pipeline import ProjectionDDNMPipeline


@dataclass(frozen=True)
class Stage1:
    """What stage 1 hands on.

    Attributes:
        projections: what stage 2 is to explain; None where there is a volume, or no prior.
        hu: refined volume in HU, consistent with the measurement, which stage 2 is to explain; None where the prior
            makes no volume.
        deviation_hu: standard deviation of its samples; None for a single one.
        half_width_hu: see `prior.task.Refinement`; None where the prior knows none.
        contradicted_share: see `slab_stage.Refined`.
        sample_hu: one sample of the prior in HU, consistent with the measurement; None where none was asked for.
        steps: network evaluations per slab or view and sample.
        prior: what it worked on.
    """

    projections: Projections | None
    hu: Float[Tensor, "z y x"] | None
    deviation_hu: Float[Tensor, "z y x"] | None
    half_width_hu: Float[Tensor, "z y x"] | None
    contradicted_share: float | None
    sample_hu: Float[Tensor, "z y x"] | None
    steps: int
    prior: Literal["none", "projections", "slabs"]


def refine(
    problem: Problem,
    base_hu: Float[Tensor, "z y x"],
    prior: VolumePrior | ProjectionDDNMPipeline | None,
    config: PipelineConfig,
    progress: Progress = silent,
) -> Stage1:
    """Refine the base, or its projections.

    Args:
        problem: what was measured.
        base_hu: base volume in HU.
        prior: of volumes or of projections, on the device of `base_hu`, see `prior.load.load_prior`; None leaves the
            base as it is.
        config: `sampling`, `slabs`, `posterior_sample` and `seed` are used.
        progress: callback, after every batch of slabs or views.

    Raises:
        ConfigurationError: `prior` is none, or draws no volumes though a sample is asked for.
    """
    if config.posterior_sample and not isinstance(prior, VolumePrior):
        raise ConfigurationError(
            f"the preset {config.preset} shows a sample of a prior of slabs, and {config.prior} is none; "
            "take such a prior, or another preset"
        )
    if isinstance(prior, VolumePrior):
        stage = SlabStage(problem, base_hu, config)
        found = stage.run(prior, progress)
        deviation_hu = found.deviation_hu if config.sampling.samples > 1 else None
        certainty = found.half_width_hu, found.contradicted_share
        return Stage1(None, found.hu, deviation_hu, *certainty, found.sample_hu, stage.steps, "slabs")
    if isinstance(prior, ProjectionDDNMPipeline):
        seen = measured_projections(problem)
        projections = sample_projections(seen, base_hu, prior, config, progress)
        return Stage1(projections, None, None, None, None, None, config.sampling.steps, "projections")
    if prior is not None:
        raise ConfigurationError(f"a prior needs refine_volume, {type(prior).__name__} has none")
    return Stage1(None, None, None, None, None, None, 0, "none")

"""The engine's presets as methods of the table, whole or with one stage left out."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import numpy as np
import torch

from nullsplat.core.progress import Progress, part, silent
from nullsplat.core.seeds import numpy_generator
from nullsplat.core.units import hu_to_mu
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.methods.known import Known
from nullsplat.evaluation.methods.method import Asked, Method, Reconstruction, Task
from nullsplat.physics.profile import Profile
from nullsplat.pipeline.checkpoints import Checkpoints
from nullsplat.pipeline.config import PipelineConfig, configure
from nullsplat.pipeline.forward_model import ForwardModel
from nullsplat.pipeline.presets import PRESETS
from nullsplat.pipeline.problem import Problem
from nullsplat.pipeline.stage1 import Projections
from nullsplat.pipeline.stage2 import field_of, fit_field
from nullsplat.pipeline.stages import RUNNERS, Stage, VolumeHu, run_consistency, run_stage2
from nullsplat.pipeline.stages import identity as run_identity
from nullsplat.prior.weights import BLOCK, NONE, PACKAGED, XRAY, prior_hash
from nullsplat.splat.field.placement import PlacedField


def names() -> list[str]:
    """All presets, and each of them without one stage."""
    ablations = [f"{preset}-{left_out}" for preset in PRESETS for left_out in ABLATIONS]
    return [*PRESETS, *(name for name in ablations if find(name))]


def find(name: str) -> Method | None:
    """The preset or ablation of a name, if there is one."""
    preset, _, left_out = name.partition("-")
    if preset not in PRESETS:
        return None
    ablation = ABLATIONS.get(left_out) if left_out else Ablation()
    if ablation is None or PRESETS[preset].prior not in ablation.priors:
        return None
    runners = RUNNERS | ablation.runners

    def run(task: Task, progress: Progress) -> Reconstruction:
        config = ablation.settings(config_for(preset, Asked(task.known, task.seed)))
        return _run(task, config, runners, progress)

    def identity(asked: Asked) -> dict[str, str]:
        config = ablation.settings(config_for(preset, asked))
        return {"config_sha256": config.hash, "model_sha256": prior_hash(config.prior)}

    return Method(name, run, identity)


def config_for(preset: str, asked: Asked) -> PipelineConfig:
    """The configuration that a user would get who knows as much as the method is told.

    The pipeline always estimates the noise from the measured volume, and takes a Gaussian of FWHM = factor within
    the slices.
    """
    known = asked.known
    return configure(known.scale, preset, seed=asked.seed, resolution=known.resolution)


def _run(task: Task, config: PipelineConfig, runners: dict[str, Stage], progress: Progress) -> Reconstruction:
    _warm_up(task.device)
    return _run_stages(task, config, runners, progress)


def _run_stages(
    task: Task, config: PipelineConfig, runners: dict[str, Stage], progress: Progress
) -> Reconstruction:
    with tempfile.TemporaryDirectory(prefix="nullsplat-eval-") as folder:
        checkpoints = Checkpoints(folder)
        checkpoints.adopt(run_identity(config))  # refuses a damaged prior before the work, not after it
        checkpoints.keep_source(task.measured)
        for index, (stage, run) in enumerate(runners.items()):
            run(checkpoints, config, task.device, _stage_progress(progress, stage, index, len(runners)))
        stages = {stage: checkpoints.cost(stage) for stage in runners}
        shown = checkpoints.sample or checkpoints.result
        return Reconstruction(shown.hu, stages, checkpoints.report)


@lru_cache(maxsize=2)
def _warm_up(device: torch.device) -> None:
    """Have the kernels compiled once in this process, so that the first method does not pay for it."""
    hu = np.full((4, 12, 12), -1000, np.float32)
    hu[:, 3:9, 3:9] = numpy_generator(0, "evaluation", "warm-up").normal(50, 100, (4, 6, 6))
    asked = Asked(Known((2.0, 2.0, 2.0)), seed=0)
    task = Task(Volume(hu, Geometry(hu.shape, (1.0, 1.0, 1.0))), asked.known, 0, device)
    config = _physics_alone(config_for("preview", asked))
    runners = RUNNERS | {"stage2": partial(run_stage2, fit=_fitted)}
    _run_stages(task, replace(config, views=4, fit=replace(config.fit, steps=2)), runners, silent)


def _stage_progress(progress: Progress, stage: str, index: int, stages: int) -> Progress:
    """Progress of one stage, which names itself, as a part of all."""
    told = part(progress, index / stages, (index + 1) / stages)
    return lambda fraction, note="": told(fraction, f"{stage} {note}".rstrip())


def _unchanged(config: PipelineConfig) -> PipelineConfig:
    return config


def _physics_alone(config: PipelineConfig) -> PipelineConfig:
    return replace(config, prior=NONE)


def _all_detail(config: PipelineConfig) -> PipelineConfig:
    return replace(config, detail=1.0)


def _no_detail(config: PipelineConfig) -> PipelineConfig:
    return replace(config, detail=0.0)


def _activated(activation: str) -> Callable[[PipelineConfig], PipelineConfig]:
    return lambda config: replace(config, fit=replace(config.fit, activation=activation))


def _sliced(profile: str) -> Callable[[PipelineConfig], PipelineConfig]:
    assumed = Profile.parse(profile)
    return lambda config: replace(config, resolution=replace(config.assumed, slice_profile=assumed))


def _pixelled(profile: str) -> Callable[[PipelineConfig], PipelineConfig]:
    assumed = Profile.parse(profile)
    return lambda config: replace(config, resolution=replace(config.assumed, in_plane_profile=assumed))


def _fitted(
    model: ForwardModel,
    base_hu: VolumeHu,
    refined_hu: VolumeHu | None,
    projections: Projections | None,
    config: PipelineConfig,
    progress: Progress,
) -> PlacedField:
    """Stage 2 that fits the base's own projections, with every kernel that a fit needs."""
    seen = model.project_hr(hu_to_mu(base_hu))
    return fit_field(
        model, base_hu, Projections(seen, torch.zeros_like(seen), model.lr_beam.columns), config, progress
    )


def _no_field(
    model: ForwardModel,
    base_hu: VolumeHu,
    refined_hu: VolumeHu | None,
    projections: Projections | None,
    config: PipelineConfig,
    progress: Progress,
) -> PlacedField:
    """Stage 2 that adds nothing to the base."""
    return field_of(model, base_hu, None, None, config, progress)


def _as_it_is(problem: Problem, hu: VolumeHu, config: PipelineConfig, progress: Progress) -> VolumeHu:
    """The combined volume, not brought back to the measurement."""
    progress(1.0)
    return hu


@dataclass(frozen=True)
class Ablation:
    """What stands in for the part of a preset that is left out.

    Attributes:
        settings: from the preset's configuration to the ablation's.
        runners: stages that replace the pipeline's own.
        priors: of the presets that have that part.
    """

    settings: Callable[[PipelineConfig], PipelineConfig] = _unchanged
    runners: dict[str, Stage] = field(default_factory=dict)
    priors: tuple[str, ...] = PACKAGED


_PROFILES = ("box", "bell", "gaussian", "bell*0.8", "bell*1.2", "gaussian*0.8", "gaussian*1.2")

ABLATIONS: dict[str, Ablation] = {
    "no-stage1": Ablation(_physics_alone),
    "no-stage2": Ablation(_all_detail, {"stage2": partial(run_stage2, fit=_no_field)}),
    "no-detail": Ablation(_no_detail, priors=(BLOCK,)),
    "no-consistency": Ablation(runners={"consistency": partial(run_consistency, finish=_as_it_is)}),
    "softplus": Ablation(_activated("softplus"), priors=(XRAY,)),
    "relu": Ablation(_activated("relu"), priors=(XRAY,)),
    "sine": Ablation(_activated("sine"), priors=(XRAY,)),
    **{f"slices-{text}": Ablation(_sliced(text)) for text in _PROFILES},
    **{f"pixels-{text}": Ablation(_pixelled(text)) for text in _PROFILES},
}
"""Without a prior; stage 1's volume without Gaussians; Gaussians without stage 1's voxel detail; no data-consistency step;
Gaussians with another activation in PReLU's place, at learning rates that were chosen for PReLU; another slice profile,
or another profile in plane, than what the method is told."""

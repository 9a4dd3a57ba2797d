"""The three stages of a run. Each reads checkpoints, keeps what it makes and marks itself done; done work is kept."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.measure import Stopwatch
from nullsplat.core.progress import Progress, part, silent
from nullsplat.core.units import HIGHEST_HU
from nullsplat.pipeline.base_volume import base_volume
from nullsplat.pipeline.checkpoints import Checkpoints, Stage1Facts
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.consistency import combined, consistent_volume
from nullsplat.pipeline.figures import figures_of, profile_check, profile_of, provenance_of, rms_by_tissue
from nullsplat.pipeline.forward_model import ForwardModel, forward_model
from nullsplat.pipeline.problem import Problem, pose
from nullsplat.pipeline.refine import Stage1, refine
from nullsplat.pipeline.stage1 import Projections
from nullsplat.pipeline.stage2 import field_of
from nullsplat.prior import weights
from nullsplat.prior.calibration import LEVEL, Calibration, calibration_hash, calibration_of
from nullsplat.prior.load import load_prior
from nullsplat.prior.series_figures import Figures, series_figures
from nullsplat.prior.task import Task
from nullsplat.prior.training_range import OUTSIDE, training_range_hash, training_range_of
from nullsplat.splat.field.placement import PlacedField

VolumeHu = Float[Tensor, "z y x"]
Stage = Callable[[Checkpoints, PipelineConfig, torch.device, Progress], None]
Fit = Callable[
    [ForwardModel, VolumeHu, VolumeHu | None, Projections | None, PipelineConfig, Progress], PlacedField
]
Finish = Callable[[Problem, VolumeHu, PipelineConfig, Progress], VolumeHu]

OnDevice = TypeVar("OnDevice", Tensor, Projections)

_BASE_SHARE = 0.25


def identity(config: PipelineConfig) -> str:
    """What two runs have in common that may share their stages: the configuration, the prior's weights, and what is known
    of these.

    Raises:
        WeightsError: the prior is missing, or a file beside it is damaged: said here, before hours of work.
    """
    model, calibration = weights.prior_hash(config.prior), calibration_hash(config.prior)
    known = f"calibration {calibration}, training range {training_range_hash(config.prior)}"
    return f"configuration {config.hash}, weights {model}, {known}"


def run_stage1(
    checkpoints: Checkpoints, config: PipelineConfig, device: torch.device, progress: Progress
) -> None:
    """Base volume, and what the prior makes of it or of its projections.

    Raises:
        GeometryError: the source's grid cannot be refined as asked.
        WeightsError: the prior is missing or damaged.
        StorageError: the checkpoints cannot be written.
    """
    if checkpoints.is_done("stage1"):
        return
    with Stopwatch() as cost:
        problem = pose(checkpoints.source, config, device)
        told, rest = part(progress, 0, _BASE_SHARE), part(progress, _BASE_SHARE, 1)
        base_hu = base_volume(problem, config, lambda f, note="": told(f, "base volume"))
        made = refine(problem, base_hu, load_prior(config.prior, device), config, rest)
        checkpoints.keep_stage1(base_hu, made, _facts(problem, made, config))
    checkpoints.mark_done("stage1", cost)


def _facts(problem: Problem, made: Stage1, config: PipelineConfig) -> Stage1Facts:
    check = profile_check(problem, config).as_dict()
    series = series_figures(problem.lr_hu.cpu().numpy(), problem.task, made.contradicted_share)
    columns = None if made.projections is None else made.projections.columns
    return Stage1Facts(problem.noise_hu, columns, made.steps, made.prior, check, series)


def run_stage2(
    checkpoints: Checkpoints,
    config: PipelineConfig,
    device: torch.device,
    progress: Progress,
    fit: Fit = field_of,
) -> None:
    """Signed Gaussians that explain what stage 1 shows beyond the base.

    Args:
        checkpoints: of the run.
        config: of the run.
        device: where to compute.
        progress: called with the fraction done and the loss.
        fit: in place of `field_of`, for ablations.

    Raises:
        UnreadableFile: stage 1 has not been run.
        StorageError: the checkpoints cannot be written.
    """
    if checkpoints.is_done("stage2"):
        return
    with Stopwatch() as cost:
        model, base = forward_model(checkpoints.geometry, config), checkpoints.base_hu.to(device)
        refined, projections = _on(checkpoints.refined_hu, device), _on(checkpoints.projections, device)
        field = fit(model, base, refined, projections, config, progress)
        checkpoints.keep_stage2(field, field.on(model.hr))
    checkpoints.mark_done("stage2", cost)


def run_consistency(
    checkpoints: Checkpoints,
    config: PipelineConfig,
    device: torch.device,
    progress: Progress,
    finish: Finish = consistent_volume,
) -> None:
    """The data-consistency step in 3D, the finished volume and the report.

    Args:
        checkpoints: of the run.
        config: of the run.
        device: where to compute.
        progress: called after each iteration.
        finish: in place of `consistent_volume`, for ablations.

    Raises:
        UnreadableFile: stages 1 and 2 have not been run.
        StorageError: the checkpoints cannot be written.
    """
    if checkpoints.is_done("consistency"):
        return
    with Stopwatch() as cost:
        found = checkpoints.facts
        problem = pose(checkpoints.source, config, device, found.noise_hu)
        hu = _finished(finish, problem, _combined(checkpoints, config, device), config, progress)
        drawn_hu = checkpoints.drawn_hu
        sample_hu = None if drawn_hu is None else _finished(finish, problem, drawn_hu.to(device), config)
        calibration = calibration_of(config.prior)
        half_width_hu = _half_width(checkpoints, hu, problem.task, calibration)
        figures = {
            **figures_of(problem, hu, config),
            **_spread(checkpoints, hu),
            **_certainty(half_width_hu, hu, calibration),
            **({} if sample_hu is None else {"sample": figures_of(problem, sample_hu, config)}),
        }
        checkpoints.keep_result(hu, half_width_hu, sample_hu)
    costs = {name: checkpoints.cost(name) for name in ("stage1", "stage2")}
    checkpoints.keep_report(
        {
            **figures,
            "noise_hu": found.noise_hu,
            "steps": found.steps,
            "slice_profile": profile_of(config, problem.model.lr.spacing[0], found.profile_check),
            "stage1_prior": found.prior,
            **_familiarity(found.series, config),
            **provenance_of(config, device),
            "stages": {**costs, "consistency": dataclasses.asdict(cost)},
        }
    )
    checkpoints.mark_done("consistency", cost)


def _finished(
    finish: Finish, problem: Problem, hu: VolumeHu, config: PipelineConfig, progress: Progress = silent
) -> VolumeHu:
    """Brought back to the measurement, and to values that can be written, of which the figures are to be."""
    return finish(problem, hu, config, progress).clamp_(max=HIGHEST_HU)


def _spread(checkpoints: Checkpoints, hu: VolumeHu) -> dict[str, Any]:
    """How far the samples of stage 1 differ, where there are several of volumes."""
    deviation_hu = checkpoints.deviation_hu
    if deviation_hu is None:
        return {}
    return {"deviation_rms_hu_by_tissue": rms_by_tissue(deviation_hu.to(hu.device), hu)}


def _half_width(
    checkpoints: Checkpoints, hu: VolumeHu, task: Task, calibration: Calibration | None
) -> VolumeHu | None:
    """Of the calibrated intervals around the result; None where the prior states none, or was never calibrated."""
    stated_hu = checkpoints.stated_hu
    if stated_hu is None or calibration is None:
        return None
    return calibration.half_width_hu(stated_hu.to(hu.device), hu, task)


def _certainty(
    half_width_hu: VolumeHu | None, hu: VolumeHu, calibration: Calibration | None
) -> dict[str, Any]:
    if half_width_hu is None or calibration is None:
        return {}
    return {
        "interval_level": LEVEL,
        "interval_coverage": calibration.in_words(),
        "interval_rms_hu_by_tissue": rms_by_tissue(half_width_hu, hu),
    }


def _familiarity(series: Figures, config: PipelineConfig) -> dict[str, Any]:
    """The figures of the series, and what of them the prior was not trained on; nothing where nobody measured that."""
    known = training_range_of(config.prior)
    if known is None:
        return {}
    outside = known.outside(series)
    return {"series_figures": series, **({OUTSIDE: "; ".join(outside)} if outside else {})}


def _combined(checkpoints: Checkpoints, config: PipelineConfig, device: torch.device) -> VolumeHu:
    refined = checkpoints.refined_hu if config.detail > 0 else None
    base, residual = checkpoints.base_hu.to(device), checkpoints.residual_hu.to(device)
    return combined(base, residual, _on(refined, device), config)


def _on(kept: OnDevice | None, device: torch.device) -> OnDevice | None:
    return None if kept is None else kept.to(device)


RUNNERS: dict[str, Stage] = {
    "stage1": run_stage1,
    "stage2": run_stage2,
    "consistency": run_consistency,
}

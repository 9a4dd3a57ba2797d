"""The engine's presets as methods of the table, whole or with one stage left out."""

import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.measure import Stopwatch
from nullsplat.core.progress import Progress, silent
from nullsplat.core.seeds import numpy_generator
from nullsplat.core.units import LOWEST_HU, hu_to_mu
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.degrade import Protocol
from nullsplat.evaluation.method import Asked, Method, Reconstruction, Task
from nullsplat.pipeline.config import PipelineConfig, configure
from nullsplat.pipeline.forward_model import forward_model
from nullsplat.pipeline.presets import PRESETS
from nullsplat.pipeline.stages import RUNNERS, Stage
from nullsplat.pipeline.workspace import Workspace
from nullsplat.prior.weights import model_hash

TOLD_SLICE_THICKNESS = 1.0
"""Slice thickness over the distance of slices that `thick` protocols have."""

IMPOSSIBLE = {
    "softplus": "the engine cannot fit with softplus: its densities are PReLU, which no setting exchanges"
}


def names() -> list[str]:
    """All presets, and each of them without one stage."""
    return [*PRESETS, *(f"{preset}-{left_out}" for preset in PRESETS for left_out in ABLATIONS)]


def find(name: str) -> Method | None:
    """The preset or ablation of a name, if there is one.

    Raises:
        ConfigurationError: the engine cannot leave this out.
    """
    preset, _, left_out = name.partition("-")
    if preset not in PRESETS:
        return None
    if left_out in IMPOSSIBLE:
        raise ConfigurationError(f"method {name} is not possible: {IMPOSSIBLE[left_out]}")
    if left_out and left_out not in ABLATIONS:
        return None
    runners = RUNNERS | ABLATIONS[left_out] if left_out else RUNNERS
    settings = _cheapest if left_out == "no-stage1" else _unchanged

    def run(task: Task, progress: Progress) -> Reconstruction:
        asked = Asked(task.degradation, task.blind, task.seed)
        return _run(task, settings(config_for(preset, asked)), runners, progress)

    def identity(asked: Asked) -> dict[str, str]:
        config = settings(config_for(preset, asked))
        return {"config_sha256": config.hash, "model_sha256": model_hash()}

    return Method(name, run, identity)


def config_for(preset: str, asked: Asked) -> PipelineConfig:
    """The configuration that a user would get who knows as much as the method is told.

    The pipeline always estimates the noise from the measured volume and takes a Gaussian of FWHM = factor within
    the slices; the one thing that it can be told of the point-spread function is the slice thickness.
    """
    if asked.blind:
        return configure(asked.degradation.scale, preset, seed=asked.seed)
    return configure(
        asked.degradation.scale, preset, seed=asked.seed, slice_thickness_ratio=TOLD_SLICE_THICKNESS
    )


def _run(task: Task, config: PipelineConfig, runners: dict[str, Stage], progress: Progress) -> Reconstruction:
    _warm_up(task.device)
    return _run_stages(task, config, runners, progress)


def _run_stages(
    task: Task, config: PipelineConfig, runners: dict[str, Stage], progress: Progress
) -> Reconstruction:
    with tempfile.TemporaryDirectory(prefix="nullsplat-eval-") as folder:
        ws = Workspace(Path(folder))
        ws.claim(task.measured, config.hash)
        ws.save_source(task.measured)
        for index, (stage, run) in enumerate(runners.items()):
            run(ws, config, task.device, _part(progress, stage, index, len(runners)))
        stages = {stage: ws.cost(stage) for stage in runners}
        return Reconstruction(ws.result().hu, stages, ws.report())


@lru_cache(maxsize=2)
def _warm_up(device: torch.device) -> None:
    """Have the kernels compiled once in this process, so that the first method does not pay for it."""
    hu = np.full((4, 12, 12), -1000, np.float32)
    hu[:, 3:9, 3:9] = numpy_generator(0, "evaluation", "warm-up").normal(50, 100, (4, 6, 6))
    asked = Asked(Protocol("iso", 2), blind=True, seed=0)
    task = Task(Volume(hu, Geometry(hu.shape, (1.0, 1.0, 1.0))), asked.degradation, True, 0, device)
    config = _cheapest(config_for("preview", asked))
    _run_stages(task, replace(config, views=4, fit=replace(config.fit, steps=2)), RUNNERS, silent)


def _part(progress: Progress, stage: str, index: int, stages: int) -> Progress:
    """Progress of one stage as a part of all."""

    def tell(fraction: float, note: str = "") -> None:
        progress((index + fraction) / stages, f"{stage} {note}".rstrip())

    return tell


def _unchanged(config: PipelineConfig) -> PipelineConfig:
    return config


def _cheapest(config: PipelineConfig) -> PipelineConfig:
    """One step of the prior, because its projections are thrown away."""
    return replace(config, sampling=replace(config.sampling, steps=1, samples=1))


def _projections_of_the_base(
    ws: Workspace, config: PipelineConfig, device: torch.device, progress: Progress
) -> None:
    """Stage 1 with the base's own projections in place of the prior's, all equally trusted."""
    RUNNERS["stage1"](ws, config, device, progress)
    model = forward_model(ws.source().geometry, config).with_columns(ws.load_json("stage1")["columns"])
    projections = model.project_hr(hu_to_mu(ws.load_tensor("base", "hu", device)))
    ws.save_arrays("projections", mean=projections, deviation=torch.zeros_like(projections))


def _no_residual(ws: Workspace, config: PipelineConfig, device: torch.device, progress: Progress) -> None:
    """Stage 2 that adds nothing to the base."""
    with Stopwatch() as cost:
        ws.save_arrays("residual", hu=torch.zeros_like(ws.load_tensor("base", "hu", device)))
    ws.mark_done("stage2", cost)
    progress(1.0)


def _plain_sum(ws: Workspace, config: PipelineConfig, device: torch.device, progress: Progress) -> None:
    """Base plus residual, not brought back to the measurement."""
    with Stopwatch() as cost:
        hu = ws.load_tensor("base", "hu", device) + ws.load_tensor("residual", "hu", device)
        grid = forward_model(ws.source().geometry, config).hr
        ws.save_result(Volume(hu.clamp_(min=LOWEST_HU).cpu().numpy(), grid))
        ws.save_json("report", {"noise_hu": ws.load_json("stage1")["noise_hu"], "config_hash": config.hash})
    ws.mark_done("consistency", cost)
    progress(1.0)


ABLATIONS: dict[str, dict[str, Stage]] = {
    "no-stage1": {"stage1": _projections_of_the_base},
    "no-stage2": {"stage2": _no_residual},
    "no-consistency": {"consistency": _plain_sum},
}
"""What is left out, and the stages that stand in for it."""

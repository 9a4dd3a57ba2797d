"""The three stages of a run. Each reads the workspace, writes its files and marks itself done; done work is kept."""

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.measure import Stopwatch
from nullsplat.core.progress import Progress, part
from nullsplat.core.units import HIGHEST_HU, LOWEST_HU
from nullsplat.core.volume import Volume
from nullsplat.physics.consistency import residual
from nullsplat.physics.noise import estimate_noise
from nullsplat.physics.profile_check import ProfileCheck, check_profile
from nullsplat.pipeline.base_volume import base_volume, refine
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.forward_model import ForwardModel, forward_model
from nullsplat.pipeline.high_frequencies import high_frequency_gain
from nullsplat.pipeline.imagined import null_space_change, rms_by_tissue
from nullsplat.pipeline.measurement import measured
from nullsplat.pipeline.slab_stage import SlabStage
from nullsplat.pipeline.stage1 import measured_projections, projections_of, sample_projections
from nullsplat.pipeline.stage2 import fit_field
from nullsplat.pipeline.workspace import Workspace
from nullsplat.prior import weights
from nullsplat.prior.load import load_prior
from nullsplat.prior.slab.pipeline import SlabPipeline

Stage = Callable[[Workspace, PipelineConfig, torch.device, Progress], None]

_BASE_SHARE = 0.25


def identity(config: PipelineConfig) -> str:
    """What two runs have in common that may share their stages: the configuration and the prior's weights.

    Raises:
        WeightsError: the prior is missing.
    """
    return f"configuration {config.hash}, weights {weights.prior_hash(config.prior)}"


def run_stage1(ws: Workspace, config: PipelineConfig, device: torch.device, progress: Progress) -> None:
    """Base volume and super-resolved projections.

    Raises:
        GeometryError: the source's grid cannot be refined as asked.
        WeightsError: the prior is missing or damaged.
        StorageError: the workspace cannot be written.
    """
    if ws.is_done("stage1"):
        return
    with Stopwatch() as cost:
        lr_hu, model = measured(ws, config, device)
        noise_hu = estimate_noise(lr_hu.cpu().numpy())
        told, rest = part(progress, 0, _BASE_SHARE), part(progress, _BASE_SHARE, 1)
        base_hu = base_volume(lr_hu, model, config, noise_hu, lambda f, note="": told(f, "base volume"))
        ws.save_arrays("base", hu=base_hu)
        seen = measured_projections(lr_hu, model, noise_hu)
        prior, steps, refined_by = load_prior(config.prior, device), 0, "none"
        if isinstance(prior, SlabPipeline):
            stage = SlabStage(lr_hu, base_hu, model, config, noise_hu)
            refined = stage.run(prior, seen, rest)
            ws.save_arrays("refined", hu=refined.hu)
            if config.sampling.samples > 1:
                ws.save_arrays("deviation", hu=refined.deviation_hu)
            found, steps, refined_by = refined.projections, stage.steps, "slabs"
        elif prior is not None:
            found = sample_projections(seen, base_hu, prior, config, rest)
            steps, refined_by = config.sampling.steps, "projections"
        else:
            found = projections_of(seen, base_hu)
        ws.save_arrays("projections", mean=found.mean, deviation=found.deviation)
        ws.save_json(
            "stage1",
            {
                "noise_hu": noise_hu,
                "columns": found.model.lr_beam.columns,
                "steps": steps,
                "prior": refined_by,
                "profile_check": _checked(lr_hu, config, model).as_dict(),
            },
        )
    ws.mark_done("stage1", cost)


def run_stage2(ws: Workspace, config: PipelineConfig, device: torch.device, progress: Progress) -> None:
    """Signed Gaussians that explain what the projections show beyond the base.

    Raises:
        UnreadableFile: stage 1 has not been run.
        StorageError: the workspace cannot be written.
    """
    if ws.is_done("stage2"):
        return
    with Stopwatch() as cost:
        model = forward_model(ws.source_geometry(), config)
        found = ws.load_json("stage1")
        field = fit_field(
            ws.load_tensor("base", "hu", device),
            ws.load_tensor("projections", "mean", device),
            ws.load_tensor("projections", "deviation", device),
            model.with_columns(found["columns"]),
            config,
            progress,
        )
        ws.save_field(field)
        ws.save_arrays("residual", hu=field.on(model.hr))
    ws.mark_done("stage2", cost)


def run_consistency(ws: Workspace, config: PipelineConfig, device: torch.device, progress: Progress) -> None:
    """The reality check in 3D, the finished volume and the report.

    Raises:
        UnreadableFile: stages 1 and 2 have not been run.
        StorageError: the workspace cannot be written.
    """
    if ws.is_done("consistency"):
        return
    with Stopwatch() as cost:
        lr_hu, model = measured(ws, config, device)
        found = ws.load_json("stage1")
        noise_hu = found["noise_hu"]
        hu = refine(combined(ws, config, device), lr_hu, model, config, noise_hu, progress)
        hu.clamp_(max=HIGHEST_HU)  # before the figures, which are to be of what can be written
        figures = {**_figures(hu, lr_hu, model), **_detail(hu, lr_hu), **_spread(ws, hu), **_gaps(config)}
        ws.save_result(Volume(hu.cpu().numpy(), model.hr))
    costs = {
        "stage1": ws.cost("stage1"),
        "stage2": ws.cost("stage2"),
        "consistency": dataclasses.asdict(cost),
    }
    ws.save_json(
        "report",
        {
            **figures,
            "noise_hu": noise_hu,
            "steps": found["steps"],
            "slice_profile": _profile(config, model, found["profile_check"]),
            "stage1_prior": found["prior"],
            **_provenance(config, device),
            "stages": costs,
        },
    )
    ws.mark_done("consistency", cost)


def combined(ws: Workspace, config: PipelineConfig, device: torch.device) -> Float[Tensor, "z y x"]:
    """Base plus Gaussians, in HU, and the share of stage 1's voxel detail that they leave unexplained.

    Raises:
        UnreadableFile: stages 1 and 2 have not been run.
    """
    hu = ws.load_tensor("base", "hu", device).add_(ws.load_tensor("residual", "hu", device))
    if config.detail > 0 and ws.has("refined"):
        hu += config.detail * (ws.load_tensor("refined", "hu", device) - hu)
    return hu.clamp_(min=LOWEST_HU)


RUNNERS: dict[str, Stage] = {"stage1": run_stage1, "stage2": run_stage2, "consistency": run_consistency}


def _figures(
    hu: Float[Tensor, "z y x"], lr_hu: Float[Tensor, "m n o"], model: ForwardModel
) -> dict[str, Any]:
    """How well the result agrees with the measurement, and how much of it the measurement cannot see."""
    difference = residual(hu, lr_hu, model.volume_op)
    imagined = null_space_change(hu, lr_hu, model)
    return {
        "lr_consistency_rmse_hu": float(difference.square().mean().sqrt()),
        "lr_consistency_max_hu": float(difference.abs().max()),
        "null_space_rms_hu": float(imagined.square().mean().sqrt()),
        "null_space_rms_hu_by_tissue": rms_by_tissue(imagined, hu),
    }


def _detail(hu: Float[Tensor, "z y x"], lr_hu: Float[Tensor, "m n o"]) -> dict[str, float]:
    """How much more there is beyond the source's resolution than in interpolation, where that can be said."""
    gain = high_frequency_gain(hu, lr_hu)
    return {} if gain is None else {"high_frequency_gain": gain}


def _gaps(config: PipelineConfig) -> dict[str, float]:
    """How much of the length nobody measured, where slices are thinner than they are apart."""
    return {"unmeasured_share": config.unmeasured_share} if config.unmeasured_share else {}


def _spread(ws: Workspace, hu: Float[Tensor, "z y x"]) -> dict[str, Any]:
    """How far the samples of stage 1 differ, where there are several of volumes."""
    if not ws.has("deviation"):
        return {}
    deviation = ws.load_tensor("deviation", "hu", hu.device)
    return {"deviation_rms_hu_by_tissue": rms_by_tissue(deviation, hu)}


def _checked(lr_hu: Float[Tensor, "z y x"], config: PipelineConfig, model: ForwardModel) -> ProfileCheck:
    """Whether the data speak for the slice profile, where it has a part in the result."""
    if model.volume_op.axes[0].is_identity:
        return ProfileCheck("undecided", None, None, None, "slices are not refined, so that it plays no part")
    return check_profile(lr_hu.cpu().numpy(), config.assumed, model.lr.spacing[0])


def _profile(config: PipelineConfig, model: ForwardModel, check: dict[str, Any]) -> dict[str, Any]:
    """What a slice and a pixel were taken for, why, and whether the data speak for it."""
    assumed = config.assumed
    thickness = assumed.slice_thickness_ratio * model.lr.spacing[0]
    return {
        "profile": str(assumed.slice_profile),
        "fwhm_mm": assumed.slice_profile.fwhm_mm(thickness),
        "slice_thickness_mm": thickness,
        "why": assumed.why,
        "in_plane": None if config.thick_slices else str(assumed.in_plane_profile),
        "check": check,
    }


def _provenance(config: PipelineConfig, device: torch.device) -> dict[str, Any]:
    return {
        "preset": config.preset,
        "scale": list(config.scale),
        "seed": config.seed,
        "samples": config.sampling.samples,
        "config_hash": config.hash,
        "model_hash": weights.prior_hash(config.prior),
        "device": device.type,
    }

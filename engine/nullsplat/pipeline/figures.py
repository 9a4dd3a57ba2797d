"""What a report says of a run: agreement with the measurement, what no measurement supports, where it comes from."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.tissue import TISSUE_HU
from nullsplat.core.volume import Volume
from nullsplat.physics.consistency import residual
from nullsplat.physics.cosine import cosine_transform
from nullsplat.physics.null_space import null_space_part
from nullsplat.physics.profile_check import ProfileCheck, check_profile
from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.forward_model import ForwardModel, forward_model
from nullsplat.pipeline.problem import Problem, measured_hu
from nullsplat.prior import weights

ROUNDING_HU = 0.01
"""Interpolation whose energy there is below this RMS over the volume has none but rounding errors."""


def null_space_change(
    hu: Float[Tensor, "z y x"], lr_hu: Float[Tensor, "m n o"], model: ForwardModel
) -> Float[Tensor, "z y x"]:
    """(I - D^+ D)(x - c) in HU: what was added to cubic interpolation c that no measurement can confirm or deny.

    Args:
        hu: the result x.
        lr_hu: measured volume in HU.
        model: the operators.
    """
    return null_space_part(hu - upsample_cubic(lr_hu, model.hr.shape), model.volume_op)


def null_space_volume(result: Volume, source: Volume, config: PipelineConfig, device: torch.device) -> Volume:
    """The same for the result of a run; computed again, which is quicker than to keep it.

    Args:
        result: the super-resolved volume.
        source: the measured one.
        config: of the run.
        device: where to compute.
    """
    model = forward_model(source.geometry, config)
    change = null_space_change(torch.from_numpy(result.hu).to(device), measured_hu(source, device), model)
    return Volume(change.cpu().numpy(), model.hr)


def rms_by_tissue(values: Float[Tensor, "z y x"], hu: Float[Tensor, "z y x"]) -> dict[str, float]:
    """Root mean square of values where a volume shows lung, soft tissue and bone; without those that it lacks.

    Args:
        values: in any unit, which the result has as well.
        hu: volume in HU on the same grid.
    """
    squares = dict.fromkeys(TISSUE_HU, 0.0)
    voxels = dict.fromkeys(TISSUE_HU, 0)
    for value, shown in zip(values, hu, strict=True):  # one slice at a time, so that masks stay small
        for tissue, (low, high) in TISSUE_HU.items():
            chosen = value[(shown >= low) & (shown <= high)].double()
            squares[tissue] += float(chosen.square().sum())
            voxels[tissue] += chosen.numel()
    return {tissue: math.sqrt(squares[tissue] / n) for tissue, n in voxels.items() if n > 0}


def figures_of(problem: Problem, hu: Float[Tensor, "z y x"], config: PipelineConfig) -> dict[str, Any]:
    """How well a result (HU) agrees with the measurement, and how much of it the measurement cannot see."""
    gain = high_frequency_gain(hu, problem.lr_hu)
    return {
        **_agreement(hu, problem),
        **({} if gain is None else {"high_frequency_gain": gain}),
        **({"unmeasured_share": config.unmeasured_share} if config.unmeasured_share else {}),
    }


def _agreement(hu: Float[Tensor, "z y x"], problem: Problem) -> dict[str, Any]:
    difference = residual(hu, problem.lr_hu, problem.model.volume_op)
    unseen = null_space_change(hu, problem.lr_hu, problem.model)
    return {
        "lr_consistency_rmse_hu": float(difference.square().mean().sqrt()),
        "lr_consistency_max_hu": float(difference.abs().max()),
        "null_space_rms_hu": float(unseen.square().mean().sqrt()),
        "null_space_rms_hu_by_tissue": rms_by_tissue(unseen, hu),
    }


def profile_check(problem: Problem, config: PipelineConfig) -> ProfileCheck:
    """Whether the data speak for the slice profile, where it has a part in the result."""
    if problem.model.volume_op.axes[0].is_identity:
        return ProfileCheck("undecided", None, None, None, "slices are not refined, so that it plays no part")
    return check_profile(problem.lr_hu.cpu().numpy(), config.assumed, problem.model.lr.spacing[0])


def profile_of(config: PipelineConfig, distance_mm: float, check: dict[str, Any]) -> dict[str, Any]:
    """What a slice and a pixel were taken for, why, and whether the data speak for it."""
    assumed = config.assumed
    thickness = assumed.slice_thickness_ratio * distance_mm
    return {
        "profile": str(assumed.slice_profile),
        "fwhm_mm": assumed.slice_profile.fwhm_mm(thickness),
        "slice_thickness_mm": thickness,
        "why": assumed.why,
        "in_plane": None if config.thick_slices else str(assumed.in_plane_profile),
        "check": check,
    }


def provenance_of(config: PipelineConfig, device: torch.device) -> dict[str, Any]:
    """What the result was made with."""
    return {
        "preset": config.preset,
        "scale": list(config.scale),
        "seed": config.seed,
        "samples": config.sampling.samples,
        "config_hash": config.hash,
        "model_hash": weights.prior_hash(config.prior),
        "device": device.type,
    }


def high_frequency_energy(x: Float[Tensor, "z y x"], low: torch.Size) -> float:
    """Energy of what a grid of `low` samples over the same extent cannot hold, in units of x squared.

    The k-th function of the cosine basis has k half waves over the extent, and n samples tell n of them apart.

    Args:
        x: a volume.
        low: samples along each axis of the coarser grid.
    """
    spectrum = cosine_transform(x)
    z, y, x_ = low
    spectrum[:z, :y, :x_] = 0
    return float(torch.linalg.vector_norm(spectrum, dtype=torch.float64).square())


def high_frequency_gain(hu: Float[Tensor, "z y x"], lr_hu: Float[Tensor, "m n o"]) -> float | None:
    """That energy of a result over that of cubic interpolation; None where interpolation has none to speak of.

    Args:
        hu: the result.
        lr_hu: the source.
    """
    interpolated = high_frequency_energy(upsample_cubic(lr_hu, hu.shape), lr_hu.shape)
    if interpolated < ROUNDING_HU**2 * hu.numel():
        return None
    return high_frequency_energy(hu, lr_hu.shape) / interpolated

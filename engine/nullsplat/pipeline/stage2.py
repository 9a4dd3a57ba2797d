"""Stage 2: signed Gaussians that explain what stage 1 shows beyond the base."""

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress, silent
from nullsplat.core.units import hu_difference_to_mu, hu_to_mu
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.forward_model import ForwardModel
from nullsplat.pipeline.stage1 import Projections
from nullsplat.splat.field.placement import PlacedField
from nullsplat.splat.fit.closed_form import explain
from nullsplat.splat.fit.fit import fit_residual

VolumeHu = Float[Tensor, "z y x"]


def field_of(
    model: ForwardModel,
    base_hu: VolumeHu,
    refined_hu: VolumeHu | None,
    projections: Projections | None,
    config: PipelineConfig,
    progress: Progress = silent,
) -> PlacedField:
    """The field for whatever stage 1 ended with: a volume is explained in closed form, projections are fitted.

    Args:
        model: the operators of the problem, with the full detector.
        base_hu: base volume in HU, on the device that does the work.
        refined_hu: stage 1's volume in HU, on the same device; None where its prior makes none.
        projections: of stage 1, on the same device; None where it made none.
        config: `field`, `fit` and `seed` are used.
        progress: called with the fraction done.

    Returns:
        The field on the wanted grid; what it shows there is to be added to the base. It shows nothing where stage 1
        made neither.

    Raises:
        GeometryError: the projections do not fit the beam, or the fit diverged.
    """
    if refined_hu is None and projections is not None:
        return fit_field(model, base_hu, projections, config, progress)
    residual_hu = torch.zeros_like(base_hu) if refined_hu is None else refined_hu - base_hu
    gaussians = explain(hu_difference_to_mu(residual_hu), model.hr.spacing, config.field)
    progress(1.0, f"{len(gaussians)} Gaussians")
    return PlacedField(gaussians, model.hr)


def fit_field(
    model: ForwardModel,
    base_hu: Float[Tensor, "z y x"],
    projections: Projections,
    config: PipelineConfig,
    progress: Progress = silent,
) -> PlacedField:
    """Fit a field to projections.

    Args:
        model: the operators of the problem, with the full detector.
        base_hu: base volume in HU, on the device that does the work.
        projections: of stage 1, on the same device.
        config: `fit` and `seed` are used.
        progress: called with the fraction done and the loss.

    Returns:
        The field on the wanted grid; what it shows there is to be added to the base.

    Raises:
        GeometryError: the projections do not fit the beam, or the fit diverged.
    """
    model = model.with_columns(projections.columns)
    base = hu_to_mu(base_hu)
    base_projections = model.project_hr(base)
    gaussians = fit_residual(
        projections.mean - base_projections,
        model.hr_beam,
        base,
        model.hr.spacing,
        config.fit,
        base_projections=base_projections,
        weights=trust(projections.deviation),
        seed=config.seed,
        progress=progress,
    )
    return PlacedField(gaussians, model.hr)


def trust(deviation: Float[Tensor, "v z u"]) -> Float[Tensor, "v z u"] | None:
    """How much each pixel counts: inverse variance, softened by the typical variance so that none dominates.

    Returns:
        Weights in (0, 1], or None where there is a single sample and nothing is known.
    """
    typical = float(deviation.square().mean())
    if typical == 0:
        return None
    return typical / (typical + deviation.square())

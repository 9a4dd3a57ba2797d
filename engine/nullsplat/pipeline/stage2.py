"""Stage 2: signed Gaussians that explain what the super-resolved projections show beyond the base."""

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress, silent
from nullsplat.core.units import hu_to_mu
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.forward_model import ForwardModel
from nullsplat.pipeline.stage1 import Projections
from nullsplat.splat.field.placement import PlacedField
from nullsplat.splat.fit.fit import fit_residual


def fit_field(
    model: ForwardModel,
    base_hu: Float[Tensor, "z y x"],
    projections: Projections,
    config: PipelineConfig,
    progress: Progress = silent,
) -> PlacedField:
    """Fit the field.

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

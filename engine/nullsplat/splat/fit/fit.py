"""The fit of signed Gaussians to residual projections (stage 2, arXiv 2508.15151 section 2.3)."""

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress, part, silent
from nullsplat.core.seeds import derive_seed
from nullsplat.core.volume import Axes3
from nullsplat.physics.projection.beam import ParallelBeam
from nullsplat.physics.projection.projector import Projector
from nullsplat.splat.field.gaussians import SignedGaussians, joined
from nullsplat.splat.field.render import voxelise_field
from nullsplat.splat.fit.config import FitConfig
from nullsplat.splat.fit.problem import ResidualProblem
from nullsplat.splat.fit.round import fit_round


def fit_residual(  # noqa: PLR0913 - the data are five tensors; the rest has defaults
    target: Float[Tensor, "v z u"],
    beam: ParallelBeam,
    base: Float[Tensor, "z y x"],
    spacing: Axes3,
    config: FitConfig,
    *,
    base_projections: Float[Tensor, "v z u"],
    weights: Float[Tensor, "v z u"] | None = None,
    seed: int = 0,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> SignedGaussians:
    """Signed Gaussians whose projections explain what the base's do not.

    In every round new Gaussians start where the projections still show something, and explain it; those of the rounds
    before are left as they are, and count as part of the base.

    On the CPU the result repeats bit for bit: it depends on the data, the configuration and the seed, and in its
    last bits on how many threads torch sums with.

    Args:
        target: projections p_hat minus projected base P b, unitless line integrals.
        beam: their views.
        base: base volume b in 1/mm.
        spacing: mm along (z, y, x).
        config: how to fit.
        base_projections: P b, unitless.
        weights: trust in each pixel, at least 0; only their proportions matter.
        seed: of everything random.
        device: where to compute; by default where `target` is.
        progress: called with the fraction done and the loss; may raise `Cancelled`.

    Raises:
        GeometryError: shapes disagree, or the fit diverged.
    """
    device = device or target.device
    target, base, base_projections = target.to(device), base.to(device), base_projections.to(device)
    weights = None if weights is None else weights.to(device)
    fields = []
    for k in range(config.rounds):
        problem = ResidualProblem(target, beam, base, spacing, base_projections, weights)
        told = part(progress, k / config.rounds, (k + 1) / config.rounds)
        fields.append(fit_round(problem, config, _round_seed(seed, k), told))
        if k + 1 < config.rounds:
            shown = voxelise_field(fields[-1], problem.grid, spacing)
            seen = Projector(beam, problem.grid, spacing).forward(shown)
            target, base, base_projections = target - seen, base + shown, base_projections + seen
    return joined(fields)


def _round_seed(seed: int, k: int) -> int:
    return seed if k == 0 else derive_seed(seed, "splat", "round", k)

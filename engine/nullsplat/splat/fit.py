"""The fit of signed Gaussians to residual projections (stage 2, arXiv 2508.15151 section 2.3)."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress, silent
from nullsplat.core.seeds import derive_seed, numpy_generator
from nullsplat.core.units import hu_difference_to_mu
from nullsplat.core.volume import Axes3
from nullsplat.physics.beam import ParallelBeam
from nullsplat.splat.activation import activation
from nullsplat.splat.fit_config import FitConfig
from nullsplat.splat.gaussians import SignedGaussians
from nullsplat.splat.initialise import back_project, place
from nullsplat.splat.optimiser import FieldOptimiser
from nullsplat.splat.problem import ResidualProblem, beam_of
from nullsplat.splat.selection import BestField
from nullsplat.splat.strategy import SignedStrategy
from nullsplat.splat.views import ViewOrder, held_out

_REPORT_EVERY = 10


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
        progress: hears the fraction done and the loss; may raise `Cancelled`.

    Raises:
        GeometryError: shapes disagree, or the fit diverged.
    """
    device = device or target.device
    target, base, base_projections = target.to(device), base.to(device), base_projections.to(device)
    problem = ResidualProblem(
        target, beam, base, spacing, base_projections, None if weights is None else weights.to(device)
    )
    seen, unseen = held_out(len(beam.angles), config.held_out)
    residual = back_project(problem.trusted_target[seen], beam_of(beam, seen), problem.grid, spacing)
    start = place(residual, base, spacing, config, numpy_generator(seed, "splat", "place"))
    fit = _Fit(problem, start, seen, config, seed)
    best = BestField(problem, unseen, config.patience)
    for step in range(config.steps):
        loss = fit.step(step)
        if step % _REPORT_EVERY == 0:
            progress(step / config.steps, f"loss {float(loss):.5f}, {fit.count} Gaussians")
        if unseen and step % config.judge_every == 0 and best.consider(fit.field()):
            break
    best.consider(fit.field())
    progress(1.0, f"{len(best.field)} Gaussians after {step + 1} steps")
    return best.field


class _Fit:
    """Everything that changes from step to step."""

    def __init__(
        self, problem: ResidualProblem, start: SignedGaussians, seen: list[int], config: FitConfig, seed: int
    ) -> None:
        self._problem, self._config, self._seed = problem, config, seed
        self._optimiser = FieldOptimiser(start, problem.spacing, config)
        self._strategy = _strategy(problem.spacing, config)
        self._state = self._strategy.initialize_state()
        self._views = ViewOrder(seen, config.views_per_step, numpy_generator(seed, "splat", "views"))
        self._crops = numpy_generator(seed, "splat", "crops")

    @property
    def count(self) -> int:
        """Gaussians at present."""
        return len(self._optimiser.params["z"])

    def field(self) -> SignedGaussians:
        """A copy of the field as it is."""
        return self._optimiser.detached()

    def step(self, step: int) -> Tensor:
        """One optimiser step; returns the loss."""
        problem, config, optimiser = self._problem, self._config, self._optimiser
        optimiser.zero_grad()
        field = optimiser.field
        chosen = self._views.next().to(problem.target.device)
        footprints = problem.footprints(field, chosen)
        info = {"means2d": footprints.means2d, "width": problem.beam.columns, "height": problem.beam.rows}
        self._strategy.step_pre_backward(info)
        loss = problem.projection_loss(footprints, chosen, config)
        if config.tv > 0:
            loss = loss + problem.smoothness_loss(field, config, self._crops)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step(step / config.steps)
        with torch.random.fork_rng(devices=[]):  # gsplat draws from the global generator
            torch.manual_seed(derive_seed(self._seed, "splat", "refine", step))
            self._strategy.step_post_backward(optimiser.params, optimiser.optimisers, self._state, step, info)
        return loss.detach()


def _strategy(spacing: Axes3, config: FitConfig) -> SignedStrategy:
    return SignedStrategy(
        refine_from=config.refine_from,
        refine_until=config.refine_until,
        refine_every=config.refine_every,
        grow_gradient=config.grow_gradient,
        split_above=config.split_above * float(np.prod(spacing)) ** (1 / 3),
        prune_below=hu_difference_to_mu(config.prune_below_hu),
        most=config.most,
        activation=activation(config.activation),
    )

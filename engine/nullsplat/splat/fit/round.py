"""One round of the fit: a start where the residual is, then optimiser steps."""

import numpy as np
import torch
from torch import Tensor

from nullsplat.core.progress import Progress
from nullsplat.core.seeds import derive_seed, numpy_generator
from nullsplat.core.units import hu_difference_to_mu
from nullsplat.core.volume import Axes3
from nullsplat.splat.field.activation import activation
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.fit.config import FitConfig
from nullsplat.splat.fit.initialise import back_project, place
from nullsplat.splat.fit.optimiser import FieldOptimiser
from nullsplat.splat.fit.problem import ResidualProblem, beam_of
from nullsplat.splat.fit.selection import BestField
from nullsplat.splat.fit.strategy import SignedStrategy
from nullsplat.splat.fit.views import ViewOrder, held_out

_REPORT_EVERY = 10


def fit_round(problem: ResidualProblem, config: FitConfig, seed: int, progress: Progress) -> SignedGaussians:
    """Signed Gaussians that explain a problem's target as well as one start allows.

    Args:
        problem: what is to be explained.
        config: how to fit.
        seed: of everything random.
        progress: called with the fraction done and the loss; may raise `Cancelled`.

    Raises:
        GeometryError: the fit diverged.
    """
    seen, unseen = held_out(len(problem.beam.angles), config.held_out)
    residual = back_project(
        problem.trusted_target[seen], beam_of(problem.beam, seen), problem.grid, problem.spacing
    )
    generator = numpy_generator(seed, "splat", "place")
    start = place(residual, problem.base, problem.spacing, config, generator)
    steps = _Steps(problem, start, seen, config, seed)
    best = BestField(problem, unseen, config.patience)
    for step in range(config.steps):
        loss = steps.take(step)
        if step % _REPORT_EVERY == 0:
            progress(step / config.steps, f"loss {float(loss):.5f}, {steps.count} Gaussians")
        if unseen and step % config.judge_every == 0 and best.consider(steps.field()):
            break
    best.consider(steps.field())
    progress(1.0, f"{len(best.field)} Gaussians after {step + 1} steps")
    return best.field


class _Steps:
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

    def take(self, step: int) -> Tensor:
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

"""gsplat's densification interface for densities of either sign."""

from dataclasses import dataclass
from typing import Any

import torch
from gsplat.strategy.base import Strategy
from gsplat.strategy.ops import duplicate, remove, split
from jaxtyping import Bool, Float
from torch import Tensor

from nullsplat.splat.field.activation import PRELU, Activation

Parameters = dict[str, torch.nn.Parameter]
Optimisers = dict[str, torch.optim.Optimizer]

_SHRINK = 1.6
"""By how much gsplat's `split` divides the standard deviations."""


@dataclass
class SignedStrategy(Strategy):  # type: ignore[misc]
    """Duplicate or split where the positions are pulled hard, remove what has no density left.

    Densities are divided among the parts so that the field's integral stays what it was, and z is changed to what
    gives them. Nothing is reset: a signed sum hides nothing behind anything.

    Attributes:
        refine_from: first step that changes the number of Gaussians.
        refine_until: last one.
        refine_every: steps between.
        grow_gradient: threshold on the mean norm of the gradient of means2d, in half detectors as gsplat's; None never grows.
        split_above: standard deviation in mm above which a Gaussian is split, not duplicated.
        prune_below: strength, that is |z| for PReLU, in 1/mm below which it is removed.
        most: Gaussians never to exceed.
        activation: from z to density.
    """

    refine_from: int
    refine_until: int
    refine_every: int
    grow_gradient: float | None
    split_above: float
    prune_below: float
    most: int
    activation: Activation = PRELU

    def initialize_state(self) -> dict[str, Any]:
        """Running sums of gradients, empty."""
        return {"gradient": None, "count": None}

    def step_pre_backward(self, info: dict[str, Any]) -> None:
        """Ask autograd to keep the gradient of info["means2d"] [v, n, 2]."""
        info["means2d"].retain_grad()

    def step_post_backward(
        self,
        params: Parameters,
        optimizers: Optimisers,
        state: dict[str, Any],
        step: int,
        info: dict[str, Any],
    ) -> bool:
        """Note the gradients and, when it is time, change the Gaussians; True if they have changed.

        Args:
            params: "means", "scales" (logarithms), "quats" and "z"; replaced in place.
            optimizers: one per parameter.
            state: from `initialize_state`.
            step: number of this step.
            info: "means2d" after backward, and the detector's "width" and "height" in pixels.
        """
        if step > self.refine_until:
            return False
        self._note(state, info)
        if step < self.refine_from or step % self.refine_every:
            return False
        before = params["z"]
        self._grow(params, optimizers, state)
        self._prune(params, optimizers, state)
        state.update(self.initialize_state())
        return params["z"] is not before

    @torch.no_grad()
    def _note(self, state: dict[str, Any], info: dict[str, Any]) -> None:
        gradient = info["means2d"].grad
        half_detector = gradient.new_tensor([info["width"] / 2, info["height"] / 2])
        norms = (gradient * half_detector * gradient.shape[0]).norm(dim=-1)
        seen = norms > 0
        if state["gradient"] is None:
            state["gradient"], state["count"] = torch.zeros_like(norms[0]), torch.zeros_like(norms[0])
        state["gradient"] += norms.sum(0)
        state["count"] += seen.sum(0)

    @torch.no_grad()
    def _grow(self, params: Parameters, optimizers: Optimisers, state: dict[str, Any]) -> None:
        if self.grow_gradient is None:
            return
        pull = state["gradient"] / state["count"].clamp_min(1)
        growing = _strongest(pull, self.grow_gradient, self.most - len(pull))
        large = params["scales"].amax(-1) > torch.tensor(self.split_above).log()
        copied, parted = growing & ~large, growing & large
        if copied.any():
            self._multiply(params["z"], copied, 1 / 2)  # before the copy, so that both halves have it
            duplicate(params, optimizers, state, copied)
            parted = torch.cat([parted, parted.new_zeros(int(copied.sum()))])
        if parted.any():
            self._multiply(
                params["z"], parted, _SHRINK**3 / 2
            )  # two parts of volume 1/1.6^3 keep the integral
            split(params, optimizers, state, parted)

    def _multiply(self, z: Tensor, chosen: Bool[Tensor, " n"], factor: float) -> None:
        """Change z of the chosen so that their density becomes `factor` times what it was."""
        z[chosen] = self.activation.scaled(z[chosen], factor)

    @torch.no_grad()
    def _prune(self, params: Parameters, optimizers: Optimisers, state: dict[str, Any]) -> None:
        strength = self.activation.strength(params["z"])
        dead = strength < self.prune_below
        if dead.all():
            dead[strength.argmax()] = False  # an empty field has no gradient left to grow from
        if dead.any():
            remove(params, optimizers, state, dead)


def _strongest(pull: Float[Tensor, " n"], threshold: float, room: int) -> Bool[Tensor, " n"]:
    """Those above the threshold; if there is no room for all, the most strongly pulled."""
    growing = pull > threshold
    if int(growing.sum()) <= room:
        return growing
    chosen = torch.zeros_like(growing)
    chosen[pull.topk(max(room, 0)).indices] = True
    return chosen & growing

"""Adam for every parameter of a field, each with a rate in its own unit that falls exponentially."""

import math

import torch

from nullsplat.core.units import hu_difference_to_mu
from nullsplat.core.volume import Axes3
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.fit.config import Decay, FitConfig
from nullsplat.splat.fit.strategy import Optimisers, Parameters

_SLOPE_RATE = 1e-3
_LEAST_SLOPE = 0.05
_SCALE_RANGE = (0.4, 16.0)
"""Standard deviations in voxels: below, voxels and pixels would sample a Gaussian too coarsely; above, it is no detail."""


class FieldOptimiser:
    """Parameters of a field under optimisation.

    Attributes:
        params: "means", "scales" (logarithms), "quats" and "z", named as gsplat's strategy names them.
        optimisers: one Adam per parameter.
    """

    def __init__(self, start: SignedGaussians, spacing: Axes3, config: FitConfig) -> None:
        """Start from a field on a grid of `spacing` mm along (z, y, x)."""
        tensors = {"means": start.means, "scales": start.log_scales, "quats": start.quats, "z": start.z}
        self.params: Parameters = {
            name: torch.nn.Parameter(tensor.clone()) for name, tensor in tensors.items()
        }
        self._slope, self._activation = torch.nn.Parameter(start.slope.clone()), start.activation
        voxel = math.prod(spacing) ** (1 / 3)
        self._rates: dict[str, Decay] = {
            "means": _scaled(config.position_rate, voxel),
            "scales": config.scale_rate,
            "quats": config.rotation_rate,
            "z": _scaled(config.density_rate, hu_difference_to_mu(1.0)),
        }
        self.optimisers: Optimisers = {name: _adam(parameter) for name, parameter in self.params.items()}
        self._slope_optimiser = _adam(self._slope)
        self._scale_limits = (
            math.log(_SCALE_RANGE[0] * min(spacing)),
            math.log(_SCALE_RANGE[1] * max(spacing)),
        )

    @property
    def field(self) -> SignedGaussians:
        """The field as it is now, connected to the parameters."""
        params = self.params
        return SignedGaussians(
            params["means"], params["scales"], params["quats"], params["z"], self._slope, self._activation
        )

    def detached(self) -> SignedGaussians:
        """A copy of the field without gradients."""
        return self.field.detached()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for optimiser in (*self.optimisers.values(), self._slope_optimiser):
            optimiser.zero_grad(set_to_none=True)

    def step(self, progress: float) -> None:
        """One step at the rates that hold at `progress` in [0, 1] of the fit."""
        for name, optimiser in self.optimisers.items():
            first, last = self._rates[name]
            optimiser.param_groups[0]["lr"] = first * (last / first) ** progress
            optimiser.step()
        self._slope_optimiser.param_groups[0]["lr"] = _SLOPE_RATE
        self._slope_optimiser.step()
        with torch.no_grad():
            self.params["scales"].clamp_(*self._scale_limits)
            self._slope.clamp_(min=_LEAST_SLOPE)


def _adam(parameter: torch.nn.Parameter) -> torch.optim.Optimizer:
    return torch.optim.Adam([parameter], eps=1e-15, fused=True)


def _scaled(rate: Decay, unit: float) -> Decay:
    return rate[0] * unit, rate[1] * unit

"""How the reverse diffusion is run: where it starts, which noise levels it visits, how much noise it adds."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.seeds import torch_generator


@dataclass(frozen=True)
class SamplingConfig:
    """Settings of the reverse diffusion.

    Attributes:
        steps: network evaluations per sample.
        eta: share of the noise that is fresh at each step; the rest is the network's own estimate (DDNM's c1, c2).
        start_sigma: noise level, relative to the signal, at which a given initial estimate enters; None starts
            from pure noise as the paper does.
        samples: independent samples K, whose mean and standard deviation are returned.
        batch: views per network evaluation.
        shared_views: neighbouring views between which noise is interpolated; 1 gives every view its own.
        sigma_y: noise of the measurement in network range; None takes the estimate of the caller.
        relaxation: None draws samples. A number in (0, 1] ascends from the initial estimate towards the prior's
            mode instead: no noise is added, and each step goes this part of the way to the prior's estimate.
    """

    steps: int = 50
    eta: float = 0.99
    start_sigma: float | None = None
    samples: int = 1
    batch: int = 4
    shared_views: int = 1
    sigma_y: float | None = None
    relaxation: float | None = None

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            ConfigurationError: a count below 1, eta or relaxation out of range, or a start level that is not positive.
        """
        if min(self.steps, self.samples, self.batch, self.shared_views) < 1:
            raise ConfigurationError(f"steps, samples, batch and shared_views must be at least 1, got {self}")
        if not 0 <= self.eta <= 1:
            raise ConfigurationError(f"eta must lie in [0, 1], got {self.eta}")
        if self.start_sigma is not None and self.start_sigma <= 0:
            raise ConfigurationError(f"start_sigma must be positive, got {self.start_sigma}")
        if self.relaxation is not None and not (0 < self.relaxation <= 1 and self.start_sigma is not None):
            raise ConfigurationError(f"ascent needs relaxation in (0, 1] and a start_sigma, got {self}")


def visited_timesteps(alphas_cumprod: Float[Tensor, " t"], config: SamplingConfig) -> list[int]:
    """The timesteps of one run, from the noisiest down.

    From pure noise they are evenly spaced in t, as in the paper. From an initial estimate they are evenly spaced
    in log(noise / signal) from `start_sigma` down to the schedule's first level, where the network is asked
    about details of the size that is missing; levels that fall on the same timestep are visited once.

    Raises:
        ConfigurationError: more steps than the schedule has timesteps.
    """
    if config.steps > len(alphas_cumprod):
        raise ConfigurationError(
            f"steps must be at most {len(alphas_cumprod)}, the timesteps of the schedule, got {config.steps}"
        )
    if config.start_sigma is None:
        stride = len(alphas_cumprod) / config.steps
        return [round(len(alphas_cumprod) - 1 - i * stride) for i in range(config.steps)]
    levels = ((1 - alphas_cumprod) / alphas_cumprod).sqrt().numpy()
    first = float(max(config.start_sigma, levels[0]))
    wanted = np.geomspace(first, levels[0], config.steps) if config.steps > 1 else np.array([first])
    nearest = {int(np.abs(np.log(levels) - np.log(level)).argmin()) for level in wanted}
    return sorted(nearest, reverse=True)


def view_noise(
    views: range, size: tuple[int, int], shared_views: int, seed: int, *purpose: str | int
) -> Float[Tensor, "v z u"]:
    """Standard normal noise for some of the views, interpolated between anchors that are `shared_views` apart.

    The interpolation turns from one anchor to the next on a circle, so that the variance stays 1 everywhere.
    Every anchor has a generator of its own: the noise of a view does not depend on which others are asked for.

    Args:
        views: which views, contiguous.
        size: pixels of a view along (z, u).
        shared_views: distance of the anchors; 1 gives every view noise of its own.
        seed: of the run.
        purpose: what the noise is for.
    """
    index = torch.arange(views.start, views.stop)
    first, last = views.start // shared_views, -(-(views.stop - 1) // shared_views)
    anchors = [
        torch.randn(size, generator=torch_generator(seed, *purpose, a)) for a in range(first, last + 1)
    ]
    drawn = torch.stack(anchors)
    left = index // shared_views - first
    turn = (index % shared_views)[:, None, None] * (torch.pi / 2 / shared_views)
    return torch.cos(turn) * drawn[left] + torch.sin(turn) * drawn[(left + 1).clamp_max(last - first)]

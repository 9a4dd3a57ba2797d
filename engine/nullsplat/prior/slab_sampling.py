"""How slabs are refined: in how many steps, and what goes through the network at once."""

from dataclasses import dataclass

from diffusers import DDIMScheduler

from nullsplat.core.errors import ConfigurationError
from nullsplat.prior.network import TRAIN_STEPS
from nullsplat.prior.tiles import Tiling

MIRRORS = {1: ((),), 2: ((), (-2, -1)), 4: ((), (-2,), (-1,), (-2, -1))}
"""Axes that are mirrored in each of so many images of a slab."""

_TOWARDS_THE_END = 1.5


@dataclass(frozen=True)
class SlabSampling:
    """Settings of `BlockPipeline`.

    Attributes:
        steps: network evaluations of a sample after the first, which gives the posterior mean.
        batch: pixels per network evaluation, in units of 256 x 256, of which a CPU takes a quarter; those of a block count as one slab's.
        tile: largest side that goes through the network at once.
        overlap: pixels that tiles share.
        mirrors: mirror images of each slab whose answers are averaged for the posterior mean: 1, 2 or 4.
    """

    steps: int = 2
    batch: int = 8
    tile: int = 512
    overlap: int = 32
    mirrors: int = 1

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            ConfigurationError: a count that is out of range, tiles that cannot cover an image, or other mirrors.
        """
        Tiling(self.tile, self.overlap)
        if not (1 <= self.steps < TRAIN_STEPS and self.batch >= 1):
            raise ConfigurationError(
                f"steps must lie in [1, {TRAIN_STEPS - 1}] and batch be at least 1, got {self}"
            )
        if self.mirrors not in MIRRORS:
            raise ConfigurationError(
                f"mirrors must be one of {', '.join(map(str, MIRRORS))}, got {self.mirrors}"
            )


def noise_levels(scheduler: DDIMScheduler, steps: int) -> list[int]:
    """`steps` timesteps below the last one, denser towards the end, where a sample's detail is decided."""
    count = int(scheduler.config.num_train_timesteps) - 1
    left = [1 - (i + 1) / (steps + 1) for i in range(steps)]
    return [round(count * fraction**_TOWARDS_THE_END) for fraction in left]

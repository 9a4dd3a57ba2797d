"""How slabs are refined: in how many steps, and what goes through the network at once."""

from dataclasses import dataclass

from nullsplat.core.errors import ConfigurationError
from nullsplat.prior.tiles import Tiling


@dataclass(frozen=True)
class SlabSampling:
    """Settings of `SlabPipeline`.

    Attributes:
        steps: network evaluations of a sample after the first, which gives the posterior mean.
        batch: pixels per network evaluation, in units of 256 x 256.
        tile: largest side that goes through the network at once.
        overlap: pixels that tiles share.
        mix: weight of the network's own answer on projections; the rest is the refined volume's projections.
    """

    steps: int = 4
    batch: int = 8
    tile: int = 512
    overlap: int = 32
    mix: float = 0.3

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            ConfigurationError: a count below 1, tiles that cannot cover an image, or a weight outside [0, 1].
        """
        Tiling(self.tile, self.overlap)
        if min(self.steps, self.batch) < 1:
            raise ConfigurationError(f"steps and batch must be at least 1, got {self}")
        if not 0 <= self.mix <= 1:
            raise ConfigurationError(f"mix must lie in [0, 1], got {self.mix}")

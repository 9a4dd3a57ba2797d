"""How slabs are refined: along which axes, how thick, in how many steps."""

from dataclasses import dataclass

from nullsplat.core.errors import ConfigurationError


@dataclass(frozen=True)
class SlabSampling:
    """Settings of `SlabPipeline`.

    Attributes:
        axes: along which the volume is cut into slabs, of (z, y, x) = (0, 1, 2); their answers are averaged.
        steps: network evaluations per slab and axis. The first gives the posterior mean; each further one
            takes it up at a lower noise level, as sampling needs.
        batch: pixels per network evaluation, in units of 256 x 256.
        tile: largest side that goes through the network at once.
        overlap: pixels that tiles share.
    """

    axes: tuple[int, ...] = (0, 1, 2)
    steps: int = 1
    batch: int = 8
    tile: int = 512
    overlap: int = 32

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            ConfigurationError: no axis, an axis that there is not, or a count below 1.
        """
        if not self.axes or not set(self.axes) <= {0, 1, 2} or len(set(self.axes)) < len(self.axes):
            raise ConfigurationError(f"axes must be some of 0, 1, 2, each once, got {self.axes}")
        if min(self.steps, self.batch) < 1:
            raise ConfigurationError(f"steps and batch must be at least 1, got {self}")

"""What is asked of a prior of volumes, and what it answers."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.volume import Axes3
from nullsplat.physics.degradation import Separable


@dataclass(frozen=True)
class Task:
    """What is asked of a volume.

    Attributes:
        op: the degradation along (z, y, x).
        spacing: of the wanted voxels, mm.
        noise_hu: standard deviation of the noise in the measured volume.
    """

    op: Separable
    spacing: Axes3
    noise_hu: float

    @property
    def thick(self) -> bool:
        """Whether only z is refined: then slabs across z show nothing that is missing."""
        return self.op.axes[1].is_identity and self.op.axes[2].is_identity


@dataclass(frozen=True)
class Refinement:
    """What a prior makes of a base.

    Attributes:
        hu: the posterior mean, or a sample, in HU.
        half_width_hu: half of the interval in which the prior expects the truth in 90 % of cases, in HU, as the prior
            says it (see `calibration`); 0 where it did not look, None where it knows none.
    """

    hu: Float[Tensor, "z y x"]
    half_width_hu: Float[Tensor, "z y x"] | None = None

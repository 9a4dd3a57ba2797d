"""What is asked of a prior of volumes."""

from dataclasses import dataclass

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

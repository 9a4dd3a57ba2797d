"""What the methods of a table are told of a degradation: all of them the same."""

from dataclasses import dataclass, field

from nullsplat.core.volume import Axes3
from nullsplat.evaluation.data.degrade import Protocol
from nullsplat.physics.profile import BELL, BOX, GAUSSIAN, Resolution


@dataclass(frozen=True)
class Known:
    """What a user would know of the measured volume.

    Attributes:
        scale: factors along (z, y, x).
        resolution: of the measured volume.
    """

    scale: Axes3
    resolution: Resolution = field(default_factory=Resolution)


_PROFILES = {"iso": GAUSSIAN, "thick": BOX, "bell": BELL, "isothick": BOX, "isobell": BELL}


def known_of(how: Protocol, *, blind: bool = False) -> Known:
    """The profile of slices and, where they are coarser too, of pixels; `blind` keeps both back for the engine's defaults."""
    if blind:
        return Known(how.scale)
    profile = _PROFILES[how.kind]
    return Known(how.scale, Resolution(1.0, profile, profile if how.all_axes else GAUSSIAN))

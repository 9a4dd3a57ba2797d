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


_PROFILES = {"iso": GAUSSIAN, "thick": BOX, "bell": BELL}


def known_of(how: Protocol, *, blind: bool = False) -> Known:
    """The profile that a header would speak for; `blind` keeps it back, so that the engine's default is taken."""
    return Known(how.scale) if blind else Known(how.scale, Resolution(slice_profile=_PROFILES[how.kind]))

"""How far the intervals that a prior states must be stretched to hold the truth as often as they say."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nullsplat.prior.weights import Companion

FILE = "calibration.json"
"""In a prior's folder."""

COMPANION = Companion(FILE, "a factor for each group", "calibrate")

LEVEL = 0.9
"""Share of voxels whose truth lies within their interval."""

BANDS_HU: dict[str, tuple[float, float]] = {
    "air": (-float("inf"), -950.0),
    "lung": (-950.0, -500.0),
    "fat and soft tissue": (-500.0, 200.0),
    "bone": (200.0, float("inf")),
}
"""Of the result; together they hold every voxel."""

EDGE_HU = 60.0
"""Change from one voxel to the next, in HU, from which a voxel lies at an edge."""

UNSEEN = "outside the body"
"""The group of voxels that the prior left alone."""

GROUPS = (UNSEEN, *(f"{band}, {where}" for band in BANDS_HU for where in ("flat", "edge")))
"""Every voxel belongs to one of them."""

_SLICES = 16  # at a time, so that masks stay small


@dataclass(frozen=True)
class Calibration:
    """Factors on the half widths that a prior states.

    Attributes:
        factors: for each of `GROUPS`; of `UNSEEN`, where the prior states nothing, the half width itself in HU.
        facts: on which volumes and degradations it was measured, and what it holds there.
    """

    factors: dict[str, float]
    facts: dict[str, Any]

    def half_width_hu(
        self, stated_hu: Float[Tensor, "z y x"], hu: Float[Tensor, "z y x"]
    ) -> Float[Tensor, "z y x"]:
        """Half widths in HU of the intervals around a result that hold the truth in `LEVEL` of its voxels.

        Args:
            stated_hu: what the prior states, see `prior.task.Refinement`.
            hu: the result.
        """
        half_width = stated_hu.clone()
        for slab, name, chosen in members(hu, stated_hu):
            factor = self.factors[name]
            half_width[slab][chosen] = factor if name == UNSEEN else factor * stated_hu[slab][chosen]
        return half_width

    def in_words(self) -> str:
        """How much of the truth intervals were seen to hold, in a sentence without its full stop; what the file does not say is left out."""
        told = [
            f"calibrated on {len(self.facts.get('volumes', ()))} CT(s) to hold {100 * LEVEL:.0f} % of the truth"
        ]
        if held := self.facts.get("held_when_left_out"):
            low, high = (100 * one for one in (min(held.values()), max(held.values())))
            told.append(f"each of them was held to {low:.0f} to {high:.0f} % by the factors of the others")
        if "bound" in self.facts:
            told.append(
                f"a further one, drawn as they were, to {100 * self.facts['bound']:.0f} % at least on average"
            )
        return "; ".join(told)


def calibration_of(prior: str) -> Calibration | None:
    """What is known of a prior's intervals; None for one that was never calibrated.

    Args:
        prior: a packaged name or a folder, see `weights.locate`.

    Raises:
        WeightsError: there is no such prior, or the file is damaged or belongs to other weights.
    """
    return COMPANION.of(prior, _read)


def _read(content: dict[str, Any]) -> Calibration:
    factors = {group: _factor(content["factors"][group]) for group in GROUPS}
    return Calibration(factors, {name: value for name, value in content.items() if name != "factors"})


def _factor(value: Any) -> float:
    """A factor that stretches: with a negative one, or none at all, a voxel would be called certain that is not."""
    factor = float(value)
    if not 0 <= factor < math.inf:
        raise ValueError(f"got {factor:g}")
    return factor


def calibration_hash(prior: str) -> str:
    """SHA-256 of what `calibration_of` reads, 64 hexadecimal digits; zeros for a prior that was never calibrated.

    Raises:
        WeightsError: as `calibration_of`.
    """
    calibration_of(prior)
    return COMPANION.hash(prior)


def members(
    hu: Float[Tensor, "z y x"], stated_hu: Float[Tensor, "z y x"]
) -> Iterator[tuple[slice, str, Bool[Tensor, "_ y x"]]]:
    """The voxels of each of `GROUPS`, some slices at a time: which slices, the group, its voxels in them.

    Args:
        hu: the result.
        stated_hu: half widths as the prior states them.
    """
    for first in range(0, len(hu), _SLICES):
        slab = slice(first, min(first + _SLICES, len(hu)))
        seen, edge = stated_hu[slab] > 0, _change(hu, slab) >= EDGE_HU
        yield slab, UNSEEN, ~seen
        for band, (low, high) in BANDS_HU.items():
            inside = seen & (hu[slab] >= low) & (hu[slab] < high)
            yield slab, f"{band}, flat", inside & ~edge
            yield slab, f"{band}, edge", inside & edge


def _change(hu: Float[Tensor, "z y x"], slab: slice) -> Float[Tensor, "_ y x"]:
    """From one voxel to the next, in HU: the length of the gradient."""
    first, last = max(slab.start - 1, 0), min(slab.stop + 1, len(hu))
    near = hu[first:last]
    axes = [axis for axis, n in enumerate(near.shape) if n > 1]
    squares = torch.zeros_like(near)
    for slope in torch.gradient(near, dim=axes):
        squares += slope.square()
    return squares.sqrt()[slab.start - first : slab.stop - first]

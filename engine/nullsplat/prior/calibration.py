"""How far the intervals that a prior states must be stretched to hold the truth as often as they say."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nullsplat.prior.task import Task
from nullsplat.prior.weights import Companion

FILE = "calibration.json"
"""In a prior's folder."""

COMPANION = Companion(FILE, "a factor for each group of voxels", "calibrate")

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

SLICES_ALONE, ALL_AXES = REFINED = ("slices alone", "all axes")
"""What is refined, of which factors depend: a prior errs otherwise where pixels are coarse too."""

_SLICES = 16  # at a time, so that masks stay small

Factors = Mapping[str, float]
"""For each of `GROUPS`; of `UNSEEN`, where the prior states nothing, the half width itself in HU."""


@dataclass(frozen=True)
class NoiseLevel:
    """Factors that hold for series of some noise.

    Attributes:
        noise_hu: as a run estimates it.
        factors: of the groups.
    """

    noise_hu: float
    factors: Factors


def factors_at(noise_hu: float, levels: Sequence[NoiseLevel]) -> dict[str, float]:
    """Factors between those of the nearest levels, linear in the noise; below the lowest and above the highest, theirs.

    Args:
        noise_hu: of a series.
        levels: at least one, by rising noise; groups that one of them lacks are left out.
    """
    known = [group for group in GROUPS if all(group in level.factors for level in levels)]
    noises = [level.noise_hu for level in levels]
    return {
        group: float(np.interp(noise_hu, noises, [level.factors[group] for level in levels]))
        for group in known
    }


@dataclass(frozen=True)
class Calibration:
    """Factors on the half widths that a prior states.

    Attributes:
        levels: for each of `REFINED`, by rising noise.
        facts: on which volumes and degradations it was measured, and what it holds there.
    """

    levels: Mapping[str, Sequence[NoiseLevel]]
    facts: dict[str, Any]

    def half_width_hu(
        self, stated_hu: Float[Tensor, "z y x"], hu: Float[Tensor, "z y x"], task: Task
    ) -> Float[Tensor, "z y x"]:
        """Half widths in HU of the intervals around a result that hold the truth in `LEVEL` of its voxels.

        Args:
            stated_hu: what the prior states, see `prior.task.Refinement`.
            hu: the result.
            task: what was asked of the prior.
        """
        factors = factors_at(task.noise_hu, self.levels[refined_by(task)])
        half_width = stated_hu.clone()
        for slab, name, chosen in members(hu, stated_hu):
            factor = factors[name]
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


def refined_by(task: Task) -> str:
    """Which of `REFINED` a task asks for."""
    return SLICES_ALONE if task.thick else ALL_AXES


def calibration_of(prior: str) -> Calibration | None:
    """What is known of a prior's intervals; None for one that was never calibrated.

    Args:
        prior: a packaged name or a folder, see `weights.locate`.

    Raises:
        WeightsError: there is no such prior, or the file is damaged or belongs to other weights.
    """
    return COMPANION.of(prior, _read)


def _read(content: dict[str, Any]) -> Calibration:
    facts = {name: value for name, value in content.items() if name != "factors"}
    return Calibration(_levels(content["factors"]), facts)


def written(levels: Mapping[str, Sequence[NoiseLevel]]) -> dict[str, Any]:
    """What the file states as `factors`."""
    return {
        refined: [{"noise_hu": one.noise_hu, **one.factors} for one in levels[refined]] for refined in REFINED
    }


def _levels(factors: dict[str, Any]) -> Mapping[str, Sequence[NoiseLevel]]:
    """What `written` wrote; earlier versions had one factor for each group, whatever was refined and however noisy."""
    if UNSEEN in factors:
        return dict.fromkeys(REFINED, (_level({"noise_hu": 0, **factors}),))
    levels = {
        refined: sorted(map(_level, factors[refined]), key=lambda one: one.noise_hu) for refined in REFINED
    }
    if not all(levels.values()):
        raise ValueError("got no noise level")
    return levels


def _level(row: dict[str, Any]) -> NoiseLevel:
    return NoiseLevel(_finite(row["noise_hu"]), {group: _finite(row[group]) for group in GROUPS})


def _finite(value: Any) -> float:
    """A factor that stretches: with a negative one, or none at all, a voxel would be called certain that is not."""
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"got {number:g}")
    return number


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

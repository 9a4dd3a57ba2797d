# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether slices are evenly spaced, and where they are not."""

from __future__ import annotations

from statistics import median
from typing import Sequence

from nullsplat_node.series.limits import DUPLICATE_DISTANCE, SPACING_TOLERANCE
from nullsplat_node.series.refusal import Refused
from nullsplat_node.series.tags import Tags, named


def regular_spacing(along: Sequence[float], slices: Sequence[Tags]) -> float:
    """Return the distance of neighbours in mm.

    Args:
        along: positions along the normal, sorted, mm.
        slices: the same slices.
    Raises:
        Refused: `duplicate-slices`, `missing-slice` or `irregular-spacing`, naming the first slice concerned.
    """
    gaps = [b - a for a, b in zip(along, along[1:])]
    _places(gaps, slices)
    usual = median(gaps)
    _no_missing(gaps, usual, slices)
    spacing = (along[-1] - along[0]) / len(gaps)
    off = [abs(position - along[0] - index * spacing) for index, position in enumerate(along)]
    if max(off) > SPACING_TOLERANCE * spacing:
        unusual = [n for n, gap in enumerate(gaps) if abs(gap - usual) > SPACING_TOLERANCE * usual]
        after = unusual[0] if unusual else off.index(max(off))
        raise Refused(
            "irregular-spacing",
            f"slices must be evenly spaced to {SPACING_TOLERANCE:.0%} of their distance, distances are {min(gaps):.4g} to "
            f"{max(gaps):.4g} mm, the first that differs comes after {named(slices[after])}; "
            "send a reconstruction with constant increment",
        )
    return spacing


def _places(gaps: Sequence[float], slices: Sequence[Tags]) -> None:
    nearest = min(DUPLICATE_DISTANCE, DUPLICATE_DISTANCE * max(gaps))
    same = [index for index, gap in enumerate(gaps) if gap <= nearest]
    if same:
        first, second = named(slices[same[0]]), named(slices[same[0] + 1])
        raise Refused(
            "duplicate-slices",
            f"every slice must have its own position, {len(same)} of {len(slices)} share one with another, the first two are "
            f"{first} and {second}; send repeated or multi-phase acquisitions as one series each",
        )


def _no_missing(gaps: Sequence[float], usual: float, slices: Sequence[Tags]) -> None:
    """Refuse gaps that are all a whole number of spacings, which is what missing slices leave."""
    counts = [round(gap / usual) for gap in gaps]
    whole = all(
        abs(gap / usual - count) <= SPACING_TOLERANCE * max(1, count) for gap, count in zip(gaps, counts)
    )
    missing = sum(max(0, count - 1) for count in counts)
    if missing and whole:
        after = next(index for index, count in enumerate(counts) if count > 1)
        between = f"{named(slices[after])} and {named(slices[after + 1])}"
        raise Refused(
            "missing-slice",
            f"slices must be evenly spaced; between {between} the gap is {gaps[after]:.4g} mm, elsewhere {usual:.4g} mm; "
            f"send the missing slice{'s' if missing > 1 else ''}",
        )

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Slice thickness against slice distance: whether the stack was measured without gaps.

Where slices are thinner than their distance (1 mm every 10 mm, as in high-resolution CT of the lung) what lies between them
was never measured; a result would invent it, and agree with the measurement nevertheless. The engine checks the
same. Source: PS3.3 C.7.6.2.1.1 (Slice Thickness).
"""

from __future__ import annotations

from typing import Optional, Sequence

from nullsplat_node.series.limits import COVERAGE_RANGE, LEAST_COVERAGE, THICKEST, THICKNESS_TOLERANCE
from nullsplat_node.series.refusal import Refused
from nullsplat_node.series.tags import BadTag, Tags, named, number


def slice_thickness(slices: Sequence[Tags], spacing: float, allow_gaps: bool) -> Optional[float]:
    """Return the thickness in mm, None where no header says it; 0, as some manufacturers write, counts as unknown.

    Args:
        slices: in the order of the stack.
        spacing: distance of neighbouring slices, mm.
        allow_gaps: take slices that are thinner than their distance.
    Raises:
        Refused: `implausible-thickness`, `mixed-acquisition` or `slice-gaps`.
    """
    said = [tags for tags in slices if _said(tags) is not None]
    if not said:
        return None
    thickness = _said(said[0]) or 0.0
    for tags in said:
        mm = _said(tags) or 0.0
        _plausible(mm, spacing, tags)
        if abs(mm - thickness) > THICKNESS_TOLERANCE * thickness:
            raise Refused(
                "mixed-acquisition",
                f"all slices must be equally thick: {named(said[0])} has {thickness:g} mm, {named(tags)} {mm:g} mm; "
                "send each thickness as its own series",
            )
    if thickness < LEAST_COVERAGE * spacing and not allow_gaps:
        raise Refused(
            "slice-gaps",
            f"slices must be at least {LEAST_COVERAGE:g} times as thick as they are apart, these are {thickness:.4g} mm thick "
            f"every {spacing:.4g} mm, and what lies between was not measured; send a contiguous reconstruction, or allow it "
            "by allow_gaps in the rules",
        )
    return thickness


def unmeasured_share(thickness: Optional[float], spacing: float) -> float:
    """Return which part of the length of a stack lies between its slices; 0 where they are as good as contiguous."""
    is_gap = thickness is not None and thickness < LEAST_COVERAGE * spacing
    return 1 - (thickness or 0.0) / spacing if is_gap else 0.0


def _said(tags: Tags) -> Optional[float]:
    try:
        return number(tags, "SliceThickness") or None
    except BadTag:
        return None


def _plausible(mm: float, spacing: float, tags: Tags) -> None:
    least, most = (limit * spacing for limit in COVERAGE_RANGE)
    if not 0 < mm <= THICKEST or not least <= mm <= most:
        raise Refused(
            "implausible-thickness",
            f"Slice Thickness must be a length in mm that fits slices {spacing:.4g} mm apart, {named(tags)} says {mm:g}; "
            "correct it, or remove it if it is unknown",
        )

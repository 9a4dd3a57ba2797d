# SPDX-License-Identifier: AGPL-3.0-or-later
"""A rule's limits for the engine's figures; a result that exceeds them is held back or marked.

A figure that a limit needs and the engine did not give counts as exceeded: it might be large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """One of the engine's figures in HU: its title, and how it is read from the report."""

    title: str
    of: Callable[[Report], Optional[float]]


def _plain(name: str) -> Callable[[Report], Optional[float]]:
    return lambda report: _number(report.get(name))


def _largest(name: str) -> Callable[[Report], Optional[float]]:
    def largest(report: Report) -> Optional[float]:
        parts = report.get(name)
        values = [_number(one) for one in parts.values()] if isinstance(parts, dict) else []
        known = [value for value in values if value is not None and not math.isnan(value)]
        return max(known) if known and len(known) == len(values) else None

    return largest


def _number(value: Any) -> Optional[float]:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


FIGURES: Dict[str, Figure] = {
    "consistency_hu": Figure("RMSE against the source", _plain("lr_consistency_rmse_hu")),
    "difference_hu": Figure("largest difference from the source", _plain("lr_consistency_max_hu")),
    "null_space_hu": Figure("RMS of what the source does not determine", _plain("null_space_rms_hu")),
    "deviation_hu": Figure(
        "RMS deviation of the samples in a tissue", _largest("deviation_rms_hu_by_tissue")
    ),
}
OF_SEVERAL_SAMPLES = "deviation_hu"
"""The figure that a single sample does not have."""


@dataclass(frozen=True)
class Limits:
    """The limits.

    Attributes:
        most: HU by the name in `FIGURES`.
        warnings: whether any warning of the run exceeds them.
    """

    most: Tuple[Tuple[str, float], ...] = ()
    warnings: bool = False

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.most) or self.warnings

    def __str__(self) -> str:
        """Return them in words."""
        words = [f"the {FIGURES[name].title} is above {most:g} HU" for name, most in self.most]
        return " or ".join([*words, *(["there is a warning"] if self.warnings else [])])

    def exceeded_by(self, report: Report) -> str:
        """Return which figures of the report exceed them, in words; empty when none does."""
        found = [_beyond(FIGURES[name], most, report) for name, most in self.most]
        return "; ".join([*filter(None, found), *(_warnings(report) if self.warnings else [])])


NO_LIMITS = Limits()


def _beyond(figure: Figure, most: float, report: Report) -> str:
    value = figure.of(report)
    if value is None:
        return f"the {figure.title} must be at most {most:g} HU, the engine does not say what it is"
    return "" if value <= most else f"the {figure.title} is {value:.3g} HU, above {most:g} HU"


def _warnings(report: Report) -> List[str]:
    profile = report.get("slice_profile")
    check = profile.get("check") if isinstance(profile, dict) else None
    contradicted = isinstance(check, dict) and check.get("verdict") == "contradicted"
    outside = report.get("outside_training")
    unmeasured = _number(report.get("unmeasured_share")) or 0.0
    return [
        *(["the data contradict the slice profile"] if contradicted else []),
        *(["the series lies outside what the network was trained on"] if outside else []),
        *([f"{unmeasured:.0%} of the length was never measured"] if unmeasured else []),
    ]

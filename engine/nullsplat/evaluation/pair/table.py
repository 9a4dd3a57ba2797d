"""The figures of a real pair as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nullsplat.evaluation.metrics.scores import Scores
from nullsplat.evaluation.pair.profile_estimate import ProfileEstimate
from nullsplat.physics.profile_check import ProfileCheck

_REGIONS = ("body", "lung", "soft tissue", "bone")


@dataclass(frozen=True)
class PairRow:
    """One method on a real pair.

    Attributes:
        method: its name.
        scores: against the thin series.
        consistency_hu: RMSE between the result, degraded as was assumed, and the thick series; None of a baseline.
        seconds: of the method.
        stages: seconds and memory of each stage.
    """

    method: str
    scores: Scores
    consistency_hu: float | None
    seconds: float
    stages: Mapping[str, Any]

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {**self.__dict__, "scores": self.scores.as_dict(), "stages": dict(self.stages)}


def methods_table(rows: Sequence[PairRow]) -> str:
    """One line for each method."""
    regions = [name for name in _REGIONS if any(name in row.scores.rmse_hu for row in rows)]
    head = ["method", "PSNR dB", "SSIM", *(f"RMSE {name} HU" for name in regions), "LR-consistency HU", "s"]
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    for row in rows:
        consistency = "" if row.consistency_hu is None else f"{row.consistency_hu:.1f}"
        cells = [row.method, f"{row.scores.psnr:.2f}", f"{row.scores.ssim:.4f}"]
        cells += [f"{row.scores.rmse_hu[name]:.1f}" if name in row.scores.rmse_hu else "" for name in regions]
        lines.append(" | ".join([*cells, consistency, f"{row.seconds:.0f}"]))
    return "\n".join(f"| {line} |" for line in lines)


def profile_table(estimate: ProfileEstimate) -> str:
    """The measured weights, and how they were found."""
    reach = len(estimate.weights) // 2
    at = [f"{(k - reach) * estimate.step_mm:g}" for k in range(len(estimate.weights))]
    weights = [f"{weight:.3f}" for weight in estimate.weights]
    first, last = estimate.extent_mm
    return (
        f"| mm | {' | '.join(at)} |\n|{'---|' * (len(at) + 1)}\n| weight | {' | '.join(weights)} |\n\n"
        f"FWHM {estimate.fwhm_mm:.2f} mm, centre {estimate.centre_mm:+.2f} mm, sum {estimate.sum:.3f}; the weighted thin "
        f"slices miss the thick ones by {estimate.rms_hu:.1f} HU (RMS) at the {estimate.pixels} pixels with edges that "
        f"were used, in {estimate.slices} thick slices from {first:.1f} to {last:.1f} mm. To use it: "
        f'`--slice-profile {estimate.profile}`, or in a rule `slice_profile = "{estimate.profile}"`'
    )


def check_line(check: ProfileCheck) -> str:
    """Whether the thick series itself speaks for the assumed profile."""
    return f"By the thick series alone, the assumed profile is {check.verdict}: {check.why}."

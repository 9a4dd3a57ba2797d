"""What made a derived series."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from nullsplat.core.volume import Axes3

METHODS = {
    "slabs": "null-space diffusion in thin slabs of the volume",
    "projections": "null-space diffusion on projections",
    "none": "no learned prior",
}
"""What stage 1 did, in words, by what its prior refines."""

_LONGEST_CURVE = 120
"""Characters, so that a derivation description fits its 1024; the report of the run has all of a curve."""


@dataclass(frozen=True)
class Provenance:
    """Everything about a run that goes into the objects it writes.

    Attributes:
        fingerprint: of the source series, see `series.fingerprint`.
        model_hash: SHA-256 of the prior's weights.
        config_hash: SHA-256 of the pipeline's configuration.
        attempt: 1 for the first run, one more each time that a person asks again.
        scale: factors along (z, y, x).
        preset: name of the preset.
        seed: seed of the run.
        samples: how many samples were averaged.
        steps: evaluations of the network per sample.
        lr_consistency_rmse_hu: difference of the degraded result and the source, in HU.
        slice_profile: what a slice was taken for, see `profile_in_words`.
        created: when the result was made, in the node's local time; the only clock that the writer knows.
        software_version: of NullSplat.
        stage1: what its prior refined, one of `METHODS`.
        remarks: on the source, see `SourceSeries.remarks`.
        outside_training: what of the source the prior was not trained on, sentences joined by semicolons.
    """

    fingerprint: str
    model_hash: str
    config_hash: str
    attempt: int
    scale: Axes3
    preset: str
    seed: int
    samples: int
    steps: int
    lr_consistency_rmse_hu: float
    slice_profile: str
    created: datetime
    software_version: str
    stage1: str = "slabs"
    remarks: tuple[str, ...] = ()
    outside_training: str = ""


def of_the_sample(provenance: Provenance, report: Mapping[str, Any]) -> Provenance:
    """The same for the sample of a run, whose agreement with the source is its own."""
    return replace(provenance, lr_consistency_rmse_hu=report["sample"]["lr_consistency_rmse_hu"])


def profile_in_words(profile: Mapping[str, Any]) -> str:
    """The slice profile of a run's report, such as `bell, FWHM 5 mm (Acquisition Type SPIRAL), supported by the data`.

    Where the axial plane was refined too, what a pixel was taken for follows: `; in plane gaussian*1.2`.
    """
    width = "" if profile["fwhm_mm"] is None else f", FWHM {profile['fwhm_mm']:.3g} mm"
    verdict = {"supported": ", supported by the data", "contradicted": ", CONTRADICTED by the data"}
    pixel = f"; in plane {_curve(profile['in_plane'])}" if profile.get("in_plane") else ""
    told = verdict.get(profile["check"]["verdict"], "")
    return f"{_curve(profile['profile'])}{width} ({profile['why']}){told}{pixel}"


def _curve(profile: str) -> str:
    if len(profile) <= _LONGEST_CURVE:
        return profile
    return f"{profile[:_LONGEST_CURVE].rpartition(',')[0]},... {profile.count(',') + 1} weights"

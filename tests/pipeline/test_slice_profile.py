"""What a run takes a slice for decides the result, and stands in its report."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from tests.pipeline.test_run import CPU, phantom, rmse, small

from nullsplat.core.volume import Geometry, Volume
from nullsplat.physics.point_spread import degradation_matrix
from nullsplat.physics.profile import Profile, Resolution
from nullsplat.pipeline.run import Result, super_resolve

RATIO, SLICES = 2.0, 12
"""Slices of 5 mm every 2.5 mm."""


@cache
def outcome(assumed: str, ratio: float) -> Result:
    """The phantom seen by overlapping slices of a helical scan, refined without learning under an assumption."""
    seen = degradation_matrix(SLICES, len(phantom()), Profile.parse("bell").spread(RATIO, 2.5))
    hu = np.tensordot(seen, phantom(), axes=1).astype(np.float32)
    resolution = Resolution(ratio, Profile.parse(assumed), why="asked for")
    config = dataclasses.replace(small(prior="none"), scale=(2.0, 1.0, 1.0), resolution=resolution)
    return super_resolve(Volume(hu, Geometry(hu.shape, (2.5, 1.0, 1.0))), config, device=CPU)


@pytest.mark.parametrize(("assumed", "ratio"), [("bell", 1.0), ("box", 1.0), ("bell*0.5", RATIO)])
def test_slices_of_5_mm_every_2_5_mm_come_out_best_when_they_are_taken_for_that(
    assumed: str, ratio: float
) -> None:
    right, wrong = outcome("bell", RATIO), outcome(assumed, ratio)
    assert rmse(right.volume.hu) < 0.9 * rmse(wrong.volume.hu)


def test_a_measured_curve_does_what_the_bell_does_that_it_is() -> None:
    at = np.linspace(-1, 1, 41)[1:-1]
    curve = "0.25mm:" + ",".join(f"{weight:.6f}" for weight in (1 + np.cos(np.pi * at)) / 2)
    difference = outcome(curve, 1.0).volume.hu - outcome("bell", RATIO).volume.hu
    assert float(np.sqrt(np.mean(difference**2))) < 0.1 * rmse(outcome("bell", RATIO).volume.hu)


def test_no_profile_is_checked_where_slices_stay_as_they_are() -> None:
    noise = np.random.default_rng(0).normal(40, 20, (8, 96, 96)).astype(np.float32)
    config = dataclasses.replace(small(prior="none"), scale=(1.0, 2.0, 2.0))
    check = super_resolve(Volume(noise, Geometry(noise.shape, (5.0, 1.0, 1.0))), config, device=CPU).report[
        "slice_profile"
    ]["check"]
    assert (check["verdict"], check["expected_noise_correlation"]) == ("undecided", None)
    assert "slices are not refined" in check["why"]


def test_the_report_says_what_a_slice_was_taken_for_and_why() -> None:
    told = outcome("bell", RATIO).report["slice_profile"]
    check = told.pop("check")
    assert told == {
        "profile": "bell",
        "fwhm_mm": 5.0,
        "slice_thickness_mm": 5.0,
        "why": "asked for",
        "in_plane": None,
    }
    assert (check["verdict"], check["noise_correlation"]) == ("undecided", None)

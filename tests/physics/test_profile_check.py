"""The blind check of a slice profile, on noise that a scanner of a known profile would have."""

from dataclasses import asdict
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from nullsplat.physics.point_spread import degradation_matrix
from nullsplat.physics.profile import Profile, Resolution
from nullsplat.physics.profile_check import ProfileCheck, check_profile, shared_noise

DISTANCE = 5.0
FINE = 8  # slices in the distance of two measured ones


@cache
def scan(
    profile: str, ratio: float = 1.0, slices: int = 24, sigma: float = 15.0, texture: float = 0.0
) -> np.ndarray:
    """Tissue full of vessels about an even organ, with noise that slices of a profile share.

    Args:
        profile: of the slices.
        ratio: slice thickness over the distance of slices.
        slices: how many.
        sigma: deviation of the noise, HU.
        texture: deviation of what goes on from slice to slice within the organ, HU.
    """
    rng, n = np.random.default_rng(5), 96
    weights = degradation_matrix(slices, slices * FINE, Profile.parse(profile).spread(ratio, DISTANCE))
    rays = rng.standard_normal((slices * FINE, n, n), dtype=np.float32)
    noise = np.tensordot(weights.astype(np.float32), rays, axes=1)
    _, y, x = np.indices(noise.shape)
    organ = (y - n / 2) ** 2 + (x - n / 2) ** 2 < 0.025 * n * n
    vessels = ndimage.gaussian_filter(rng.standard_normal(noise.shape, dtype=np.float32), 1.5)
    hu = 40 + vessels / vessels.std() * np.where(organ, texture, 60) + sigma * noise / noise.std()
    return hu.astype(np.float32)


def checked(hu: np.ndarray, assumed: str, ratio: float = 1.0) -> ProfileCheck:
    return check_profile(hu, Resolution(ratio, Profile.parse(assumed)), DISTANCE)


@pytest.mark.parametrize(
    ("profile", "ratio", "expected"),
    [
        ("bell", 1.0, 1 / 6),  # of (1 + cos) / 2 with (1 - cos) / 2, over the whole: 1/8 of 3/4
        ("box", 1.0, 0.0),
        ("box", 2.0, 0.5),
        ("gaussian", 1.0, 0.25),  # exp(-1 / (4 sigma^2)) with FWHM 1 is 2^-2
        ("gaussian", 2.0, 0.25**0.25),
        ("bell", 0.4, 0.0),
    ],
)
def test_slices_share_the_autocorrelation_of_their_profile(
    profile: str, ratio: float, expected: float
) -> None:
    assert shared_noise(Profile.parse(profile).spread(ratio, DISTANCE)) == pytest.approx(expected, abs=1e-3)


def test_a_measured_curve_shares_what_the_bell_it_resembles_shares() -> None:
    curve = Profile.parse("1mm:0.022,0.067,0.128,0.181,0.203,0.179,0.128,0.067,0.022")
    assert shared_noise(curve.spread(1.0, DISTANCE)) == pytest.approx(1 / 6, abs=0.02)


@pytest.mark.parametrize("profile", ["bell*5", "9999mm:1,2,1", f"0.001mm:{','.join('1' * 101)}"])
def test_the_widest_and_the_narrowest_profile_cost_no_more_than_another(profile: str) -> None:
    assert 0 <= shared_noise(Profile.parse(profile).spread(100.0, 0.1)) <= 1


@pytest.mark.parametrize("texture", [0.0, 10.0], ids=["even", "structured"])
@pytest.mark.parametrize(
    ("true", "assumed", "verdict"),
    [
        ("bell", "bell", "supported"),
        ("bell", "box", "contradicted"),
        ("bell", "bell*1.25", "contradicted"),
        ("bell", "bell*0.75", "contradicted"),
        ("box", "box", "supported"),
        ("box", "bell", "contradicted"),
        ("bell*1.25", "bell", "contradicted"),
        ("bell*0.75", "bell", "contradicted"),
        ("bell", "1mm:0.022,0.067,0.128,0.181,0.203,0.179,0.128,0.067,0.022", "supported"),
        ("box", "1mm:0.022,0.067,0.128,0.181,0.203,0.179,0.128,0.067,0.022", "contradicted"),
    ],
)
def test_bell_and_box_and_wrong_widths_are_told_apart(
    true: str, assumed: str, verdict: str, texture: float
) -> None:
    assert checked(scan(true, texture=texture), assumed).verdict == verdict


@pytest.mark.parametrize(("true", "other"), [("bell", "box"), ("box", "bell")])
def test_slices_of_5_mm_every_2_5_mm_are_told_apart_too(true: str, other: str) -> None:
    overlapping = scan(true, ratio=2.0)
    assert checked(overlapping, true, 2.0).verdict == "supported"
    assert checked(overlapping, other, 2.0).verdict == "contradicted"
    assert checked(overlapping, true, 1.0).verdict == "contradicted"


@pytest.mark.parametrize("factor", [0.9, 1.25, 1.5])
def test_what_was_found_is_told_as_a_width_that_a_user_can_ask_for(factor: float) -> None:
    found = checked(scan(f"bell*{factor}"), "box")
    assert found.apparent == pytest.approx(factor, abs=0.11)
    assert f"bell*{found.apparent:.2g}, which --slice-profile or a rule can set" in found.why


@pytest.mark.parametrize(
    ("hu", "ratio", "why"),
    [
        (scan("bell", ratio=0.2), 0.2, "80% thinner than they are far apart"),
        (scan("bell", slices=5), 1.0, "too few slices"),
        (scan("bell", slices=24), 50.0, "too few slices"),
        (scan("bell", sigma=0.0), 1.0, "too little noise"),
        (scan("bell", sigma=0.0, texture=10.0), 1.0, "too little noise"),
        (np.round(scan("bell", sigma=3.0) / 20) * 20, 1.0, "rounding"),
        (scan("bell")[:, :2, :], 1.0, "too few slices"),
    ],
    ids=["gaps", "few", "much overlap", "no noise", "only structure", "coarse rounding", "two rows"],
)
def test_what_cannot_be_told_is_left_open(hu: np.ndarray, ratio: float, why: str) -> None:
    found = checked(hu.astype(np.float32), "box", ratio)
    assert (found.verdict, found.noise_correlation, found.apparent) == ("undecided", None, None)
    assert why in found.why


@pytest.mark.parametrize("step", [2, 6])
def test_rounding_which_no_slice_shares_is_taken_out(step: int) -> None:
    exact = scan("bell*1.25", sigma=3.0)
    found = checked((np.round(exact / step) * step).astype(np.float32), "bell").noise_correlation
    assert found == pytest.approx(checked(exact, "bell").noise_correlation, abs=0.03)


def test_only_slices_from_the_middle_are_looked_at() -> None:
    ends = np.full((30, 96, 96), 40, np.float32)
    long = np.concatenate([ends, scan("bell", slices=64), ends])
    assert checked(long, "bell") == checked(scan("bell", slices=64), "bell")


def test_the_verdict_is_ready_for_json() -> None:
    found = checked(scan("bell"), "bell")
    names = {"expected": "expected_noise_correlation", "apparent": "apparent_bell_factor"}
    assert found.as_dict() == {names.get(name, name): value for name, value in asdict(found).items()}

"""Measures of tasks give the answers that are known for images that were made to have them."""

import math

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import norm

from nullsplat.evaluation.tasks.lesions import (
    GROUNDS,
    REACH_MM,
    Lesion,
    ball,
    quiet_places,
    window,
    with_lesions,
)
from nullsplat.evaluation.tasks.observer import (
    area_under_curve,
    channel_responses,
    contrast_hu,
    detectability,
    hotelling,
    laguerre_gauss,
)
from nullsplat.evaluation.tasks.segmentation import dice, lungs, vessels
from nullsplat.evaluation.tasks.transfer import Transfer, noise_of

MM = (1.25, 0.8, 0.8)


# ---- Lesions ----


@pytest.mark.parametrize("diameter", [3.0, 5.0, 10.0])
@pytest.mark.parametrize("spacing", [MM, (2.5, 0.7, 1.0)])
def test_a_ball_has_its_volume_and_its_centre(diameter: float, spacing: tuple[float, float, float]) -> None:
    share = ball(diameter, spacing)
    assert share.sum() * math.prod(spacing) == pytest.approx(math.pi / 6 * diameter**3, rel=0.1)
    np.testing.assert_allclose(share, share[::-1, ::-1, ::-1])
    assert share[tuple(n // 2 for n in share.shape)] == share.max()


def test_lesions_change_their_own_surroundings_and_nothing_else() -> None:
    hu = np.zeros((40, 60, 60), np.float32)
    lesion = Lesion((20, 30, 30), "soft tissue", 5.0, -40.0)
    changed = with_lesions(hu, MM, [lesion])
    assert changed[lesion.place] == -40
    outside = np.ones(hu.shape, bool)
    outside[window(lesion.place, MM)] = False
    assert not changed[outside].any()
    assert not hu.any()


def test_quiet_places_are_of_their_kind_apart_and_away_from_what_is_not_quiet() -> None:
    generator = np.random.default_rng(0)
    hu = generator.normal(40, 10, (50, 90, 90)).astype(np.float32)
    hu[:, :, 45:] = generator.normal(-850, 10, hu[:, :, 45:].shape)
    spacing = (2.0, 1.0, 1.0)
    soft = quiet_places(hu, spacing, GROUNDS["soft tissue"], [], 24)
    lung = quiet_places(hu, spacing, GROUNDS["lung"], soft, 24)
    assert min(len(soft), len(lung)) >= 4
    assert max(x for _, _, x in soft) < 45 - 6
    assert min(x for _, _, x in lung) > 45 + 6
    at = np.array([*soft, *lung]) * spacing
    distances = np.linalg.norm(at[:, None] - at, axis=2) + 100 * np.eye(len(at))
    assert distances.min() >= 2 * REACH_MM
    for place in (*soft, *lung):
        assert hu[window(place, spacing)].shape == ball(3.0, spacing).shape


# ---- Observers ----


def test_contrast_is_that_of_the_ball_whatever_lies_beneath() -> None:
    lesion = ball(5.0, MM)
    sharp = 40 * (lesion == 1) * 1.0
    assert contrast_hu(100 + 40 * lesion, 5.0, MM) == pytest.approx(
        40 * float((lesion**2).sum() / lesion.sum())
    )
    assert contrast_hu(-800 + sharp, 5.0, MM) == pytest.approx(contrast_hu(sharp, 5.0, MM))
    assert contrast_hu(np.full(lesion.shape, 77.0), 5.0, MM) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("strength", [0.0, 1.0, 2.5])
def test_the_hotelling_observer_finds_a_known_signal_in_white_noise_as_well_as_is_possible(
    strength: float,
) -> None:
    generator = np.random.default_rng(2)
    channels = laguerre_gauss(5.0, (2.0, 2.0, 2.0))
    signal = strength * 10.0 * channels[0]  # of unit length times the noise
    noise = generator.normal(0, 10.0, (2, 1000, *signal.shape))
    seen = [
        np.einsum("czyx,nzyx->nc", channels, n + s) for n, s in zip(noise, (signal, 0 * signal), strict=True)
    ]
    found = detectability(*hotelling(seen[0], seen[1]))
    assert found == pytest.approx(strength, abs=0.25)
    assert area_under_curve(*hotelling(seen[0], seen[1])) == pytest.approx(
        norm.cdf(strength / math.sqrt(2)), abs=0.05
    )


def test_channels_do_not_see_a_level() -> None:
    patch = np.random.default_rng(0).normal(0, 1, ball(5.0, MM).shape)
    np.testing.assert_allclose(
        channel_responses(patch + 500, 5.0, MM), channel_responses(patch, 5.0, MM), atol=1e-6
    )


def test_the_area_under_the_curve_counts_pairs() -> None:
    assert area_under_curve(np.array([3.0, 2.0]), np.array([1.0, 0.0])) == 1.0
    assert area_under_curve(np.array([0.0, 0.0]), np.array([1.0, 1.0])) == 0.0
    assert area_under_curve(np.array([1.0, 3.0]), np.array([1.0, 2.0])) == (0.5 + 0 + 1 + 1) / 4


# ---- Sharpness and noise ----


@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("sigma_mm", [1.0, 1.5, 2.5])
def test_f50_of_a_gaussian_blur_is_that_of_its_formula(axis: int, sigma_mm: float) -> None:
    spacing = (1.0, 0.7, 0.7)
    gathered = Transfer()
    for diameter in (3.0, 5.0):
        lesion = ball(diameter, spacing)
        sigma = [sigma_mm / mm if i == axis else 0 for i, mm in enumerate(spacing)]
        gathered += Transfer.of(ndimage.gaussian_filter(30 * lesion, sigma), 30 * lesion, axis, spacing[axis])
    assert gathered.f50 == pytest.approx(math.sqrt(math.log(2) / 2) / (math.pi * sigma_mm), rel=0.03)


def test_what_changes_nothing_has_its_half_beyond_all_frequencies_whatever_its_contrast() -> None:
    lesion = ball(5.0, MM)
    assert Transfer.of(lesion, lesion, 0, MM[0]).f50 is None
    assert Transfer.of(0.3 * lesion, lesion, 0, MM[0]).f50 is None
    assert Transfer().f50 is None


def test_noise_has_its_deviation_and_coarse_noise_a_lower_frequency() -> None:
    spacing = (1.0, 0.5, 0.5)
    white = np.random.default_rng(0).normal(0, 12, (40, 32, 32))
    soft = ndimage.gaussian_filter(white, (0, 1.5, 1.5))
    tilted = white + np.arange(32) * 5.0 + 300
    found, coarse, level = (noise_of([one], spacing) for one in (white, soft, tilted))
    assert found.deviation_hu == pytest.approx(12, rel=0.03)
    assert found.mean_frequency == pytest.approx(2 / 3, rel=0.03)  # of a disc of radius 1 / mm
    assert coarse.mean_frequency < 0.4 * found.mean_frequency
    assert level.deviation_hu == pytest.approx(found.deviation_hu, rel=0.01)


# ---- Segmentations ----


def test_dice_is_one_of_itself_and_falls_by_what_is_not_shared() -> None:
    true = np.zeros((4, 10, 10), bool)
    true[:, :5] = True
    moved = np.roll(true, 1, axis=1)
    assert dice(true, true) == 1
    assert dice(~true, true) == 0
    assert dice(moved, true) == pytest.approx(0.8)
    assert dice(true, np.zeros_like(true)) is None


def test_lungs_hold_their_vessels_and_not_the_air_around_the_body() -> None:
    hu = np.full((30, 60, 60), -1000, np.float32)
    hu[:, 5:55, 5:55] = 40
    hu[:, 15:45, 15:45] = -850
    hu[:, 28:31, 28:31] = 30
    lung = lungs(hu, (1.0, 1.0, 1.0))
    assert lung[15, 20, 20]
    assert not (lung & (hu > -500)).any()
    assert not lung[:, :4].any()
    found = vessels(hu, lung, (1.0, 1.0, 1.0))
    assert found[:, 28:31, 28:31].all()
    assert np.count_nonzero(found[3:-3, 18:42, 18:42]) == 24 * 9
    assert not found[:, 5:12].any()


def test_a_volume_without_lungs_has_neither() -> None:
    hu = np.full((8, 20, 20), 40, np.float32)
    assert not lungs(hu, MM).any()
    assert not vessels(hu, lungs(hu, MM), MM).any()

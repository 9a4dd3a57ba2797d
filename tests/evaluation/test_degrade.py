"""The evaluation's own degradation: against values by hand and, as a cross-check, against the engine's operator."""

import numpy as np
import pytest
import torch

from nullsplat.core.errors import ConfigurationError, GeometryError
from nullsplat.evaluation.data.degrade import HELICAL_WEIGHTS, Protocol, crop_to_blocks, degrade, protocol
from nullsplat.evaluation.methods.baselines import operator_for
from nullsplat.evaluation.methods.known import known_of
from nullsplat.physics.profile import Resolution


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("iso4", (4, 4, 4)),
        ("iso8", (8, 8, 8)),
        ("thick4", (4, 1, 1)),
        ("bell4", (4, 1, 1)),
        ("thick12", (12, 1, 1)),
        ("isothick4", (4, 4, 4)),
        ("isobell2", (2, 2, 2)),
    ],
)
def test_names_give_scales(name: str, scale: tuple[int, int, int]) -> None:
    assert protocol(name).scale == scale
    assert protocol(name).name == name
    assert protocol(name, 15).name == f"{name}+15HU"


@pytest.mark.parametrize("name", ["iso1", "iso", "thin4", "iso4x", "isoiso4", "thick04", "bell1", "bells4"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="such as iso4"):
        protocol(name)


def test_negative_noise_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="0 HU or more"):
        protocol("iso4", -1.0)


def test_thick_slices_are_means() -> None:
    truth = np.arange(8.0, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)
    np.testing.assert_array_equal(degrade(truth, protocol("thick4"))[:, 0, 0], [1.5, 5.5])


def test_gaussian_weights_follow_the_formula() -> None:
    # One lit voxel beside the block centre at 5.5: weight exp(-0.5 (0.5 / sigma)^2) over the sum of such terms.
    truth = np.zeros((12, 4, 4), np.float64)
    truth[5] = 1000
    sigma = 4 / 2.3548
    terms = np.exp(-0.5 * ((np.arange(12) - 5.5) / sigma) ** 2)
    np.testing.assert_allclose(degrade(truth, protocol("iso4"))[1], 1000 * terms[5] / terms.sum(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["thick", "bell"])
def test_all_axes_are_coarsened_as_slices_are(kind: str) -> None:
    truth = np.random.default_rng(3).normal(size=(8, 12, 16))
    one = truth
    for _ in range(3):  # the next axis to the front, until each was there once
        one = np.moveaxis(degrade(one, protocol(f"{kind}4")), 0, 2)
    np.testing.assert_allclose(degrade(truth, protocol(f"iso{kind}4")), one, atol=1e-12)


@pytest.mark.parametrize("name", ["iso4", "iso2", "thick3", "isothick3"])
def test_the_engine_is_told_the_same_degradation(name: str) -> None:
    how = protocol(name)
    truth = crop_to_blocks(np.random.default_rng(0).normal(0, 500, (13, 17, 14)), how).copy()
    mine = degrade(truth, how)
    engine = operator_for(mine.shape, known_of(how)).forward(torch.from_numpy(truth)).numpy()
    np.testing.assert_allclose(mine, engine, atol=0.01)  # weights beyond five sigma are left out here


def test_slices_of_a_helical_scan_are_weighted_as_was_measured() -> None:
    # One lit slice of five in a slice thickness, as in the measurement; read over a slice, the curve is a little lower.
    responses = [degrade(lit[:, None, None], protocol("bell5"))[1, 0, 0] for lit in np.eye(15)]
    at = np.interp(
        np.arange(-7, 8)[:, None] + np.linspace(-0.475, 0.475, 20), np.arange(-5, 6), (0, *HELICAL_WEIGHTS, 0)
    )
    np.testing.assert_allclose(responses, at.mean(1) / at.mean(1).sum(), atol=1e-6)
    np.testing.assert_allclose(responses[3:12], HELICAL_WEIGHTS, atol=0.006)


def test_the_ends_of_a_helical_scan_average_what_there_is() -> None:
    np.testing.assert_allclose(degrade(np.full((10, 2, 2), 7.0), protocol("bell5")), 7.0)


@pytest.mark.parametrize("factor", [3, 4, 5])
def test_the_engines_bell_is_that_of_a_helical_scan_within_a_hundredth(factor: int) -> None:
    z = np.arange(12 * factor) / factor  # in slices
    truth = (500 * np.sin(z * 1.1) + 300 * np.cos(z * 0.6))[:, None, None] * np.ones((1, 3, 2))
    how = protocol(f"bell{factor}")
    mine = degrade(truth, how)
    engine = operator_for(mine.shape, known_of(how)).forward(torch.from_numpy(truth)).numpy()
    np.testing.assert_allclose(mine[1:-1], engine[1:-1], atol=0.01 * np.abs(truth).max())


def test_methods_are_told_the_profile_but_not_when_they_are_blind() -> None:
    known = {
        name: known_of(protocol(name)).resolution
        for name in ("iso4", "thick4", "bell4", "isothick4", "isobell4")
    }
    told = {name: (str(one.slice_profile), str(one.in_plane_profile)) for name, one in known.items()}
    assert told == {
        "iso4": ("gaussian", "gaussian"),
        "thick4": ("box", "gaussian"),
        "bell4": ("bell", "gaussian"),
        "isothick4": ("box", "box"),
        "isobell4": ("bell", "bell"),
    }
    for name in told:
        blind = known_of(protocol(name, 15.0), blind=True)
        assert (blind.scale, blind.resolution) == (protocol(name).scale, Resolution())


def test_noise_has_its_deviation_and_follows_the_seed() -> None:
    truth, how = np.zeros((8, 64, 64), np.float32), protocol("thick4", 15.0)
    noisy = degrade(truth, how, seed=1)
    assert noisy.std() == pytest.approx(15, rel=0.03)
    np.testing.assert_array_equal(noisy, degrade(truth, how, seed=1))
    assert not np.array_equal(noisy, degrade(truth, how, seed=2))


def test_single_precision_stays_single() -> None:
    assert degrade(np.zeros((8, 8, 8), np.float32), protocol("iso4", 15.0)).dtype == np.float32


def test_cropping_keeps_whole_blocks() -> None:
    assert crop_to_blocks(np.zeros((133, 10, 9)), Protocol("thick", 4)).shape == (132, 10, 9)
    assert crop_to_blocks(np.zeros((13, 10, 9)), Protocol("iso", 4)).shape == (12, 8, 8)


def test_volumes_without_a_whole_block_are_refused() -> None:
    with pytest.raises(GeometryError, match="at least one block"):
        crop_to_blocks(np.zeros((3, 10, 9)), Protocol("thick", 4))


def test_parts_of_blocks_are_refused() -> None:
    with pytest.raises(GeometryError, match="crop it first"):
        degrade(np.zeros((7, 4, 4)), protocol("thick4"))

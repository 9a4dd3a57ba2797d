import numpy as np
import pytest

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.demo.simulation import simulate


def make_volume(slices: int, spacing: float = 2.5) -> Volume:
    hu = np.random.default_rng(3).uniform(-900, 900, (slices, 6, 5)).astype(np.float32)
    return Volume(hu, Geometry(hu.shape, (spacing, 0.7, 0.7), origin=(1.0, 2.0, 3.0)))


@pytest.mark.parametrize("factor", [2, 4])
def test_a_thick_slice_is_the_mean_of_the_thin_ones_at_the_same_place(factor: int) -> None:
    volume = make_volume(13)
    scene = simulate(volume, factor, noise_hu=0.0, seed=0)
    kept = 13 // factor * factor
    assert scene.truth.hu.shape[0] == kept
    # CT images hold whole HU.
    np.testing.assert_allclose(scene.scan.hu[1], volume.hu[factor : 2 * factor].mean(axis=0), atol=0.51)
    thick = scene.scan.geometry
    assert thick.spacing == pytest.approx((2.5 * factor, 0.7, 0.7))
    # The first thick slice lies in the middle of the thin ones that it is made of.
    assert thick.origin == pytest.approx((1.0, 2.0, 3.0 + 2.5 * (factor - 1) / 2))


def test_noise_has_the_asked_strength_and_depends_on_the_seed_alone() -> None:
    flat = Volume(np.zeros((16, 40, 40), np.float32), Geometry((16, 40, 40), (1.0, 1.0, 1.0)))
    first, again, other = (simulate(flat, 4, 15.0, seed).scan.hu for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    # 6400 samples: the standard error of the deviation is 15 / sqrt(2 * 6400) = 0.13 HU.
    assert first.std() == pytest.approx(15.0, abs=0.6)


def test_the_truth_is_left_as_it_was_but_for_the_detector_floor() -> None:
    volume = make_volume(8)
    volume.hu[0, 0, 0] = -3000.0
    truth = simulate(volume, 4, 15.0, 0).truth.hu
    assert truth[0, 0, 0] == -1024.0
    np.testing.assert_array_equal(truth.ravel()[1:], volume.hu.ravel()[1:])


@pytest.mark.parametrize("factor", [0, 1, 5, 8])
def test_too_few_slices_are_refused(factor: int) -> None:
    with pytest.raises(GeometryError, match="slices are needed, got 9 slices"):
        simulate(make_volume(9), factor, 15.0, 0)

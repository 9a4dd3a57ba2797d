import numpy as np
import pytest

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.demo.simulation import simulate


def make_volume(slices: int, spacing: float = 2.5) -> Volume:
    hu = np.random.default_rng(3).uniform(-900, 900, (slices, 6, 5)).astype(np.float32)
    return Volume(hu, Geometry(hu.shape, (spacing, 0.7, 0.7), origin=(1.0, 2.0, 3.0)))


@pytest.mark.parametrize("factor", [2, 4])
def test_thick_slices_lie_in_the_middle_of_the_thin_ones_that_they_are_made_of(factor: int) -> None:
    slope = make_volume(13)
    slope.hu[:] = 10.0 * np.arange(13)[:, None, None]
    scene = simulate(slope, factor, noise_hu=0.0, seed=0)
    assert scene.truth.hu.shape[0] == 13 // factor * factor
    # A symmetric profile leaves a slope alone, but at the ends, where slices are missing. CT images hold whole HU.
    middle = 10.0 * (factor + (factor - 1) / 2)
    np.testing.assert_allclose(scene.scan.hu[1], middle, atol=0.51)
    thick = scene.scan.geometry
    assert thick.spacing == pytest.approx((2.5 * factor, 0.7, 0.7))
    assert thick.origin == pytest.approx((1.0, 2.0, 3.0 + 2.5 * (factor - 1) / 2))


def test_a_thin_slice_shows_in_its_neighbours_too_as_in_a_helical_scan() -> None:
    volume = make_volume(20)
    volume.hu[:] = 0.0
    volume.hu[8] = 1000.0  # beside the border between the thick slices 1 and 2
    seen = simulate(volume, 4, noise_hu=0.0, seed=0).scan.hu[:, 0, 0]
    assert 100 < seen[2] < 250  # a mean of four would be 250, and leave slice 1 empty
    assert 50 < seen[1] < seen[2]


def test_neighbouring_slices_share_a_part_of_their_noise() -> None:
    flat = Volume(np.zeros((64, 40, 40), np.float32), Geometry((64, 40, 40), (1.0, 1.0, 1.0)))
    noise = simulate(flat, 4, 15.0, 0).scan.hu
    shared = float(np.corrcoef(noise[1:-2].ravel(), noise[2:-1].ravel())[0, 1])
    assert shared == pytest.approx(0.17, abs=0.03)  # 1/6 for a bell, 0 for a box


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

"""Figures that tell a familiar series from another: each follows what it is named after, and nothing else."""

import numpy as np
import pytest
from scipy import ndimage

from nullsplat.physics.degradation import degradation_for
from nullsplat.physics.point_spread import BELL, GAUSSIAN, PointSpread
from nullsplat.prior.series_figures import CONTRADICTED, FIGURES, METAL_HU, kernel_sharpness, series_figures
from nullsplat.prior.task import Task

SHAPE = (6, 64, 64)
IMAGE = np.random.default_rng(0).normal(40, 20, SHAPE).astype(np.float32)


def blurred(sigma: float) -> np.ndarray:
    soft: np.ndarray = ndimage.gaussian_filter(IMAGE, (0, sigma, sigma))
    return soft


def task(factor: float = 4.0, across: PointSpread = BELL) -> Task:
    op = degradation_for(SHAPE, (factor, 1.0, 1.0), (across, GAUSSIAN, GAUSSIAN))
    return Task(op, (1.25, 0.5, 0.8), 20.0)


def test_white_noise_has_nearly_all_power_of_its_gradients_at_high_frequencies() -> None:
    assert kernel_sharpness(IMAGE, 0.0) == pytest.approx(1 / 0.5**4 - 1, rel=0.15)


@pytest.mark.parametrize("offset", [0.0, 300.0])
@pytest.mark.parametrize("contrast", [1.0, 3.0])
def test_sharpness_knows_neither_level_nor_contrast(offset: float, contrast: float) -> None:
    found = kernel_sharpness(contrast * IMAGE + offset, contrast * 5)
    assert found == pytest.approx(kernel_sharpness(IMAGE, 5), rel=1e-3)


def test_a_softer_kernel_is_less_sharp_and_interpolation_least() -> None:
    found = [kernel_sharpness(blurred(sigma), 0.0) for sigma in (0.0, 0.5, 0.8, 1.2)]
    assert found == sorted(found, reverse=True)
    assert kernel_sharpness(ndimage.zoom(IMAGE, (1, 2, 2), order=3), 0.0) < 0.1 * found[0]


def test_noise_makes_no_image_sharper_and_an_unsharp_mask_does() -> None:
    """The whole share of high frequencies, noise among them, could not tell the two apart."""
    image = 10 * blurred(1.0)
    noisy = image + np.random.default_rng(1).normal(0, 16, SHAPE).astype(np.float32)
    masked = image + 3 * (image - ndimage.gaussian_filter(image, (0, 1, 1)))
    usual = kernel_sharpness(image, 0.0)
    assert kernel_sharpness(noisy, 0.0) > 1.5 * usual
    assert kernel_sharpness(noisy, 16.0) == pytest.approx(usual, rel=0.1)
    assert kernel_sharpness(masked, 0.0) > 2 * usual


@pytest.mark.parametrize(("hu", "noise_hu"), [(np.zeros(SHAPE, np.float32), 0.0), (IMAGE, 20.0)])
def test_what_shows_nothing_or_noise_alone_is_not_sharp(hu: np.ndarray, noise_hu: float) -> None:
    assert kernel_sharpness(hu, noise_hu) == 0.0


def test_the_figures_are_those_of_the_task_and_of_the_voxels() -> None:
    hu = IMAGE.copy()
    hu[:, :8] = METAL_HU + 100
    found = series_figures(hu, task(), 0.25)
    assert set(found) == set(FIGURES)
    assert (found["wanted_slice_mm"], found["slice_factor"], found["pixel_factor"]) == (1.25, 4.0, 1.0)
    assert found["wanted_pixel_mm"] == pytest.approx(0.4**0.5)
    assert (found["noise_hu"], found["metal_share"], found[CONTRADICTED]) == (20.0, 8 / 64, 0.25)
    assert CONTRADICTED not in series_figures(hu, task())


def test_thicker_slices_spread_further() -> None:
    widths = [
        series_figures(IMAGE, task(across=PointSpread("bell", w)))["slice_spread"] for w in (0.8, 1.0, 2.0)
    ]
    assert widths == sorted(widths)
    assert widths[2] == pytest.approx(2 * widths[1], rel=0.1)

"""Figures that tell a familiar series from another: each follows what it is named after, and nothing else."""

import numpy as np
import pytest
from scipy import ndimage

from nullsplat.physics.degradation import degradation_for
from nullsplat.physics.point_spread import BELL, GAUSSIAN, PointSpread
from nullsplat.prior.series_figures import CONTRADICTED, FIGURES, METAL_HU, series_figures, sharpness
from nullsplat.prior.task import Task

SHAPE = (6, 64, 64)
NOISE = np.random.default_rng(0).normal(40, 20, SHAPE).astype(np.float32)


def task(factor: float = 4.0, across: PointSpread = BELL) -> Task:
    op = degradation_for(SHAPE, (factor, 1.0, 1.0), (across, GAUSSIAN, GAUSSIAN))
    return Task(op, (1.25, 0.5, 0.8), 20.0)


def test_white_noise_has_nearly_all_power_of_its_gradients_at_high_frequencies() -> None:
    assert sharpness(NOISE) == pytest.approx(1 - 0.5**4, abs=0.02)


@pytest.mark.parametrize("offset", [0.0, 300.0])
@pytest.mark.parametrize("contrast", [1.0, 3.0])
def test_sharpness_knows_neither_level_nor_contrast(offset: float, contrast: float) -> None:
    assert sharpness(contrast * NOISE + offset) == pytest.approx(sharpness(NOISE), rel=1e-3)


def test_a_softer_kernel_is_less_sharp_and_interpolation_least() -> None:
    found = [sharpness(ndimage.gaussian_filter(NOISE, (0, sigma, sigma))) for sigma in (0.0, 0.5, 0.8, 1.2)]
    assert found == sorted(found, reverse=True)
    assert sharpness(ndimage.zoom(NOISE, (1, 2, 2), order=3)) < 0.5 * sharpness(NOISE)


def test_nothing_is_not_sharp() -> None:
    assert sharpness(np.zeros(SHAPE, np.float32)) == 0.0


def test_the_figures_are_those_of_the_task_and_of_the_voxels() -> None:
    hu = NOISE.copy()
    hu[:, :8] = METAL_HU + 100
    found = series_figures(hu, task(), 0.25)
    assert set(found) == set(FIGURES)
    assert (found["wanted_slice_mm"], found["slice_factor"], found["pixel_factor"]) == (1.25, 4.0, 1.0)
    assert found["wanted_pixel_mm"] == pytest.approx(0.4**0.5)
    assert (found["noise_hu"], found["metal_share"], found[CONTRADICTED]) == (20.0, 8 / 64, 0.25)
    assert CONTRADICTED not in series_figures(hu, task())


def test_thicker_slices_spread_further() -> None:
    widths = [
        series_figures(NOISE, task(across=PointSpread("bell", w)))["slice_spread"] for w in (0.8, 1.0, 2.0)
    ]
    assert widths == sorted(widths)
    assert widths[2] == pytest.approx(2 * widths[1], rel=0.1)

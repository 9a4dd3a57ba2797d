"""The noise estimate on phantoms whose noise is known."""

import numpy as np
import pytest
from scipy import ndimage

from nullsplat.core.errors import GeometryError
from nullsplat.physics.noise import estimate_noise


def thorax(shape: tuple[int, int, int] = (6, 96, 96)) -> np.ndarray:
    """Air, soft tissue with a gentle gradient, two lungs, vessels and bone, in HU."""
    _z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    hu = np.full(shape, -1000.0)
    hu[(x / 0.9) ** 2 + (y / 0.7) ** 2 < 1] = 40
    hu += np.where(hu > 0, 30 * x, 0)
    for side in (-0.45, 0.45):
        hu[((x - side) / 0.3) ** 2 + (y / 0.5) ** 2 < 1] = -850
    hu[(x * 7 % 1 < 0.12) & (y * 5 % 1 < 0.3) & (hu < -800) & (abs(x) < 0.7) & (abs(y) < 0.5)] = 30
    hu[x**2 + (y - 0.5) ** 2 < 0.01] = 700
    return hu.astype(np.float32)


@pytest.mark.parametrize("sigma", [5.0, 15.0, 40.0])
def test_white_noise_is_found_within_fifteen_percent(sigma: float) -> None:
    phantom = thorax()
    noise = np.random.default_rng(3).normal(0, sigma, phantom.shape).astype(np.float32)
    assert estimate_noise(phantom + noise) == pytest.approx(sigma, rel=0.15)


def test_saturated_air_does_not_hide_the_noise() -> None:
    phantom = thorax()
    noisy = phantom + np.random.default_rng(3).normal(0, 15, phantom.shape).astype(np.float32)
    assert estimate_noise(np.maximum(noisy, -1000)) == pytest.approx(15, rel=0.15)


def test_no_noise_is_none() -> None:
    assert estimate_noise(thorax()) < 1.0


def test_without_soft_tissue_the_whole_image_counts() -> None:
    noise = np.random.default_rng(3).normal(-700, 20, (3, 40, 41)).astype(np.float32)
    assert estimate_noise(noise) == pytest.approx(20, rel=0.15)


def test_slices_of_one_row_are_refused() -> None:
    with pytest.raises(GeometryError, match="3x3"):
        estimate_noise(np.zeros((4, 1, 9), np.float32))


@pytest.mark.parametrize("sigma", [10.0, 20.0])
def test_texture_that_fills_the_image_is_not_taken_for_noise(sigma: float) -> None:
    rng = np.random.default_rng(4)
    texture = ndimage.gaussian_filter(rng.normal(0, 1, (4, 96, 96)), (0, 1.0, 1.0))
    hu = 40 + 60 * texture / texture.std() * (np.indices(texture.shape)[2] > 24)
    noisy = (hu + rng.normal(0, sigma, hu.shape)).astype(np.float32)
    assert estimate_noise(noisy) == pytest.approx(sigma, rel=0.15)

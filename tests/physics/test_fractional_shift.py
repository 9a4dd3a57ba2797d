"""A shift by a part of a pixel moves what is there, and takes nothing of it away."""

import numpy as np
import pytest
from scipy.ndimage import shift as spline_shift

from nullsplat.physics.fractional_shift import shifted

PART = (0.5, -0.3)


def blobs(by: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Gaussians of a deviation of 1.1 pixels, on a slope that reaches the edges."""
    y, x = np.mgrid[:40, :50].astype(np.float64)
    y, x = y - by[0], x - by[1]
    centres = [(12.3, 20.8, 900.0), (25.1, 31.4, -500.0), (18.0, 9.0, 300.0)]
    return sum(a * np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * 1.1**2)) for v, u, a in centres)


def test_a_band_limited_image_is_moved_exactly() -> None:
    error = np.abs(shifted(blobs(), PART) - blobs(PART)).max()
    linear = np.abs(spline_shift(blobs(), PART, order=1) - blobs(PART)).max()
    assert error < 2.0  # HU, of 900; a Gaussian of this width has 0.3 % beyond the band
    assert linear > 20 * error


def test_there_and_back_gives_the_image_again() -> None:
    y, x = np.mgrid[:30, :30].astype(np.float64)
    waves = np.cos(np.pi * 7 * (y + 0.5) / 30) * np.cos(np.pi * 11 * (x + 0.5) / 30)
    there = shifted(waves, PART)
    np.testing.assert_allclose(shifted(there, (-PART[0], -PART[1]))[8:-8, 8:-8], waves[8:-8, 8:-8], atol=0.02)


def test_noise_keeps_its_amplitude() -> None:
    """Linear interpolation by half a pixel along one axis would leave 71 % of it."""
    noise = np.random.default_rng(0).normal(0, 20, (200, 200))
    assert shifted(noise, (0.5, 0.0)).std() == pytest.approx(noise.std(), rel=0.01)


def test_the_edge_of_an_image_does_not_ring() -> None:
    """A slope, which ends abruptly at the edges of the grid."""
    slope = np.linspace(-1000, 1000, 60)[None].repeat(8, axis=0)
    moved = shifted(slope, (0.0, 0.5))
    step = 2000 / 59
    error = np.abs(moved - (slope - step / 2))
    assert error.max() < step / 3  # of the outermost pixels, whose outer half nobody measured
    assert error[:, 5:-5].max() < step / 100

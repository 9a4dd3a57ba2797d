"""The error's spectrum against waves whose band is known."""

import numpy as np
import pytest

from nullsplat.evaluation.metrics.spectrum import BANDS, error_spectrum

SHAPE = (16, 32, 64)


def wave(cycles: tuple[int, int, int], amplitude: float) -> np.ndarray:
    z, y, x = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    phase = sum(c * i / n for c, i, n in zip(cycles, (z, y, x), SHAPE, strict=True))
    return amplitude * np.cos(2 * np.pi * phase + 0.3)


@pytest.mark.parametrize(
    ("cycles", "band"),
    [
        (
            (0, 0, 8),
            4,
        ),  # 8 cycles in 64 voxels are 1/8 cycle a voxel, a quarter of Nyquist's 1/2: band 16 / 4
        ((0, 4, 0), 4),
        ((3, 0, 0), 6),  # 3/16 cycles a voxel are 3/8 of Nyquist
        ((3, 8, 0), 10),  # sqrt((3/8)^2 + (1/2)^2) = 0.625
        ((6, 12, 24), BANDS),  # sqrt(3) 3/4 lies beyond Nyquist, in the corners
    ],
)
def test_a_wave_is_found_in_its_band_with_half_its_squared_amplitude(
    cycles: tuple[int, int, int], band: int
) -> None:
    truth = wave((0, 0, 1), 100.0)
    found = error_spectrum(truth + wave(cycles, 20.0), truth)
    expected = np.zeros(BANDS + 1)
    expected[band] = 20.0**2 / 2
    np.testing.assert_allclose(found.error, expected, atol=1e-6)


def test_the_truth_is_without_its_mean() -> None:
    truth = 50 + wave((0, 8, 0), 10.0)
    np.testing.assert_allclose(np.sum(error_spectrum(truth, truth).truth), 50.0, rtol=1e-6)


@pytest.mark.parametrize("columns", [10, 11])
def test_bands_sum_to_the_mean_square_error(columns: int) -> None:
    random = np.random.default_rng(0)
    truth, result = random.normal(0, 100, (2, 8, 9, columns))
    found = error_spectrum(result, truth)
    assert sum(found.error) == pytest.approx(np.mean((result - truth) ** 2))
    assert len(found.error) == len(found.edges) - 1


def test_what_is_clipped_is_no_error() -> None:
    truth = np.full((8, 8, 8), -512.0)
    assert sum(error_spectrum(truth - 400, truth).error) == 0

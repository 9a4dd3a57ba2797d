"""Lanczos interpolation against its formula and what must hold for any interpolation."""

from math import pi, sin

import numpy as np
import pytest

from nullsplat.evaluation.methods.lanczos import lanczos_matrix, upsample_lanczos


def lanczos(t: float) -> float:
    return 1.0 if t == 0 else 3 * sin(pi * t) * sin(pi * t / 3) / (pi * t) ** 2


def test_weights_follow_the_formula() -> None:
    # Factor 2: voxel 10 lies at sample 10.5 / 2 - 0.5 = 4.75, so samples 2 to 7 are 2.75, 1.75, 0.75, ... away.
    weights = np.array([lanczos(4.75 - k) for k in range(2, 8)])
    row = lanczos_matrix(12, 24)[10]
    np.testing.assert_allclose(row[2:8], weights / weights.sum(), rtol=1e-12)
    assert row[:2].tolist() == [0, 0]
    assert row[8:].tolist() == [0, 0, 0, 0]


def test_samples_beyond_an_end_repeat_the_last() -> None:
    # Voxel 0 of factor 2 lies at sample -0.25: its taps -3, -2, -1 and 0 all mean sample 0.
    weights = np.array([lanczos(-0.25 - k) for k in range(-3, 3)])
    weights /= weights.sum()
    np.testing.assert_allclose(lanczos_matrix(8, 16)[0, :3], [weights[:4].sum(), *weights[4:]], rtol=1e-12)


def test_voxels_at_samples_take_their_values() -> None:
    # Factor 3: voxel 3 k + 1 lies at sample k.
    np.testing.assert_allclose(lanczos_matrix(9, 27)[1::3], np.eye(9), atol=1e-12)


def test_a_constant_stays_constant() -> None:
    np.testing.assert_allclose(upsample_lanczos(np.full((4, 3, 5), 7.0), (16, 12, 5)), 7.0, rtol=1e-12)


def test_it_is_separable() -> None:
    a, b, c = (np.random.default_rng(i).normal(size=n) for i, n in enumerate((4, 5, 6)))
    expected = np.einsum("i,j,k->ijk", *(lanczos_matrix(len(v), 2 * len(v)) @ v for v in (a, b)), c)
    result = upsample_lanczos(np.einsum("i,j,k->ijk", a, b, c), (8, 10, 6))
    np.testing.assert_allclose(result, expected, atol=1e-12)


def test_a_slow_wave_is_followed_better_than_by_linear_interpolation() -> None:
    wave = np.sin(2 * pi * (np.arange(40) + 0.5) / 8)
    truth = np.sin(2 * pi * (np.arange(160) + 0.5) / 32)
    inner = slice(16, -16)
    error = np.abs(lanczos_matrix(40, 160) @ wave - truth)[inner].max()
    assert error < 0.02
    assert np.interp(np.arange(160) / 4 - 0.375, np.arange(40), wave)[inner] != pytest.approx(
        truth[inner], abs=0.05
    )

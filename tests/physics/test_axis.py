"""The degradation along one axis."""

import numpy as np
import pytest
import torch

from nullsplat.core.errors import GeometryError
from nullsplat.physics.axis import (
    BOX,
    GAUSSIAN,
    POINT,
    PointSpread,
    axis_operator,
    degradation_matrix,
    sample_centres,
)

SIZES = [(8, 32), (5, 13), (7, 7), (1, 4), (16, 40)]
SPREADS = [GAUSSIAN, BOX, POINT, PointSpread("box", 1.6), PointSpread("gaussian", 0.05)]


@pytest.mark.parametrize(("n_lr", "n_hr"), SIZES)
@pytest.mark.parametrize("psf", SPREADS)
def test_every_row_averages(n_lr: int, n_hr: int, psf: PointSpread) -> None:
    matrix = degradation_matrix(n_lr, n_hr, psf)
    assert matrix.shape == (n_lr, n_hr)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-12)


@pytest.mark.parametrize(("psf", "tolerance"), [(GAUSSIAN, 0.01), (BOX, 0.051), (POINT, 1e-12)])
def test_samples_of_a_ramp_lie_at_their_centres_away_from_the_border(
    psf: PointSpread, tolerance: float
) -> None:
    # a voxel that a box covers in part counts with the value at the voxel's centre, 0.05 off at s = 2.5
    samples = degradation_matrix(12, 30, psf) @ np.arange(30.0)
    np.testing.assert_allclose(samples[3:-3], sample_centres(12, 30)[3:-3], atol=tolerance)


def test_a_box_of_integer_width_is_the_plain_mean() -> None:
    expected = np.kron(np.eye(6), np.full((1, 4), 0.25))
    np.testing.assert_allclose(degradation_matrix(6, 24, BOX), expected, atol=1e-15)


def test_a_box_of_fractional_width_shares_voxels_by_overlap() -> None:
    # two samples over five voxels: each covers two and a half
    expected = [[0.4, 0.4, 0.2, 0, 0], [0, 0, 0.2, 0.4, 0.4]]
    np.testing.assert_allclose(degradation_matrix(2, 5, BOX), expected, atol=1e-15)


def test_a_gaussian_falls_to_half_at_half_its_width() -> None:
    row = degradation_matrix(5, 45, PointSpread("gaussian", 1.0))[2]  # centre at voxel 22, FWHM 9
    np.testing.assert_allclose(row[22 + 3] / row[22], 0.5 ** ((3 / 4.5) ** 2), rtol=1e-4)


def test_a_point_between_voxels_is_interpolated() -> None:
    np.testing.assert_allclose(degradation_matrix(2, 4, POINT), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])


def test_pseudo_inverse_is_numpys() -> None:
    axis = axis_operator(9, 20, GAUSSIAN)
    like = torch.zeros((), dtype=torch.float64)
    expected = np.linalg.pinv(degradation_matrix(9, 20, GAUSSIAN))
    np.testing.assert_allclose(axis.factor("pinv", like).numpy(), expected, atol=1e-12)


def test_what_a_wide_box_cannot_see_is_not_amplified() -> None:
    # A box over exactly two samples is blind to the samples' Nyquist frequency.
    axis = axis_operator(32, 128, PointSpread("box", 2.0))
    like = torch.zeros((), dtype=torch.float64)
    s = axis.factor("s", like)
    assert s.min() > 1e-3 * s.max()
    torch.testing.assert_close(torch.linalg.matrix_norm(axis.factor("pinv", like), 2), 1 / s.min())


@pytest.mark.parametrize(("n_lr", "n_hr"), [(0, 4), (5, 4)])
def test_more_samples_than_voxels_are_refused(n_lr: int, n_hr: int) -> None:
    with pytest.raises(GeometryError, match="samples <= voxels"):
        axis_operator(n_lr, n_hr, GAUSSIAN)


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan"), float("inf")])
def test_a_width_that_is_no_width_is_refused(width: float) -> None:
    with pytest.raises(GeometryError, match="positive width"):
        PointSpread("box", width)

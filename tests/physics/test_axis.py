"""The degradation along one axis."""

import numpy as np
import pytest
import torch

from nullsplat.core.errors import GeometryError
from nullsplat.physics.axis import axis_operator
from nullsplat.physics.point_spread import (
    BELL,
    BOX,
    GAUSSIAN,
    POINT,
    PointSpread,
    degradation_matrix,
    sample_centres,
)

SIZES = [(8, 32), (5, 13), (7, 7), (1, 4), (16, 40)]
MEASURED = (0.022, 0.067, 0.128, 0.181, 0.203, 0.179, 0.128, 0.067, 0.022)
"""Weights of the 1 mm slices in a 5 mm slice of a helical scan, -4 to 4 mm, by least squares."""
TABLE = PointSpread("table", 0.2, MEASURED)
NARROW = [
    PointSpread("gaussian", 0.05),
    PointSpread("bell", 0.01),
    PointSpread("table", 1e-6, (1.0, 2.0, 1.0)),
]
SPREADS = [GAUSSIAN, BELL, BOX, POINT, TABLE, PointSpread("box", 1.6), PointSpread("bell", 2.0), *NARROW]


@pytest.mark.parametrize(("n_lr", "n_hr"), SIZES)
@pytest.mark.parametrize("psf", SPREADS)
def test_every_row_averages(n_lr: int, n_hr: int, psf: PointSpread) -> None:
    matrix = degradation_matrix(n_lr, n_hr, psf)
    assert matrix.shape == (n_lr, n_hr)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-12)


@pytest.mark.parametrize("psf", SPREADS)
def test_a_row_is_as_symmetric_as_its_profile(psf: PointSpread) -> None:
    matrix = degradation_matrix(3, 27, psf)
    tolerance = 0.002 if psf is TABLE else 1e-12  # what was measured is not quite symmetric itself
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=tolerance)


@pytest.mark.parametrize(("psf", "tolerance"), [(GAUSSIAN, 0.01), (BELL, 0.01), (BOX, 0.051), (POINT, 1e-12)])
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


@pytest.mark.parametrize("width", [0.8, 1.0, 1.7])
def test_a_bell_falls_to_half_at_half_its_width_and_to_nothing_at_its_width(width: float) -> None:
    n = 401
    row = degradation_matrix(5, 5 * n, PointSpread("bell", width))[2]
    fwhm, distance = width * n, np.abs(np.arange(5 * n) - (5 * n - 1) / 2)
    assert np.interp(fwhm / 2, distance[5 * n // 2 :], row[5 * n // 2 :]) / row.max() == pytest.approx(
        0.5, abs=0.001
    )
    assert not row[distance > fwhm + 1].any()
    assert row[distance < fwhm - 1].all()


def test_a_bell_is_closer_to_what_a_helical_scanner_does_than_box_and_gaussian() -> None:
    def miss(psf: PointSpread) -> float:
        return float(np.abs(degradation_matrix(5, 25, psf)[2, 8:17] - MEASURED).max())

    assert miss(BELL) < 0.005 < miss(GAUSSIAN) / 3 < miss(BOX) / 3


@pytest.mark.parametrize(("n_lr", "n_hr"), SIZES)
def test_a_bell_that_was_measured_finely_is_the_bell(n_lr: int, n_hr: int) -> None:
    at = np.linspace(-1, 1, 101)[1:-1]
    table = PointSpread("table", 0.02, tuple((1 + np.cos(np.pi * at)) / 2))
    np.testing.assert_allclose(
        degradation_matrix(n_lr, n_hr, table), degradation_matrix(n_lr, n_hr, BELL), atol=2e-4
    )


def test_a_measured_curve_is_read_linearly_between_its_entries_and_is_averaged_over_voxels() -> None:
    # 1, 3, 1 two voxels apart: a line rises from 0 at -4 to 1 at -2 and 3 at 0, of which a voxel takes the mean
    row = degradation_matrix(3, 27, PointSpread("table", 2 / 9, (1.0, 3.0, 1.0)))[1]
    expected = [0.0625, 0.5, 1.0625, 2.0, 2.75]
    np.testing.assert_allclose(row[9:14], np.array(expected) / 10, atol=1e-12)


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


def test_a_curve_whose_centre_is_cut_off_at_the_border_is_refused_when_nothing_positive_is_left() -> None:
    with pytest.raises(GeometryError, match="negative weights"):
        degradation_matrix(2, 4, PointSpread("table", 1.0, (-4.0, 1.0, 4.0)))


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("table", ()),
        ("bell", (1.0,)),
        ("table", (1.0, 2.0)),
        ("table", (1.0, float("nan"), 1.0)),
        ("table", (1.0, -3.0, 1.0)),
        ("table", (0.0,)),
    ],
)
def test_a_table_without_middle_end_or_sum_is_refused(kind: str, table: tuple[float, ...]) -> None:
    with pytest.raises(GeometryError, match="table"):
        PointSpread(kind, 1.0, table)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan"), float("inf")])
def test_a_width_that_is_no_width_is_refused(width: float) -> None:
    with pytest.raises(GeometryError, match="positive width"):
        PointSpread("box", width)

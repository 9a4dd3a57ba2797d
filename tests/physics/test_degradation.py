"""The separable degradation against the dense Kronecker product that it stands for."""

from functools import reduce

import numpy as np
import pytest
import torch
from torch import Tensor

from nullsplat.core.errors import GeometryError
from nullsplat.physics.axis import axis_operator
from nullsplat.physics.degradation import Separable, degradation_for
from nullsplat.physics.point_spread import BOX, GAUSSIAN, PointSpread, degradation_matrix

OPERATORS = {
    "isotropic": degradation_for((3, 4, 2), (4, 4, 4)),
    "thick slices": degradation_for((4, 5, 6), (4, 1, 1), BOX),
    "non-integer": degradation_for((4, 3, 5), (2.5, 1.3, 1.7), (BOX, GAUSSIAN, GAUSSIAN)),
    "overlapping slices": degradation_for((6, 3, 2), (3, 1, 2), PointSpread("box", 1.5)),
    "helical slices": degradation_for((5, 3, 2), (4, 1, 1), PointSpread("bell", 1.25)),
    "measured slices": degradation_for(
        (5, 3, 2), (3, 1, 1), PointSpread("table", 0.3, (0.1, 0.5, 1.0, 0.4, -0.05))
    ),
    "projection": degradation_for((4, 6), (3, 2)),
    "identity": degradation_for((3, 4, 5), (1, 1, 1)),
}


@pytest.fixture(params=OPERATORS.values(), ids=OPERATORS.keys())
def op(request: pytest.FixtureRequest) -> Separable:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def x(op: Separable) -> Tensor:
    return torch.randn(2, *op.hr_shape, dtype=torch.float64)


@pytest.fixture
def y(op: Separable) -> Tensor:
    return torch.randn(2, *op.lr_shape, dtype=torch.float64)


def dense(op: Separable) -> Tensor:
    factors = [
        np.eye(axis.n_lr) if axis.is_identity else degradation_matrix(axis.n_lr, axis.n_hr, axis.psf)
        for axis in op.axes
    ]
    return torch.from_numpy(reduce(np.kron, factors))


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_forward_is_the_kronecker_product(op: Separable, x: Tensor) -> None:
    close(op.forward(x).flatten(1), x.flatten(1) @ dense(op).T)


def test_adjoint_is_the_transpose(op: Separable, x: Tensor, y: Tensor) -> None:
    close((op.forward(x) * y).sum(), (x * op.adjoint(y)).sum())


def test_pinv_is_the_dense_pseudo_inverse(op: Separable, y: Tensor) -> None:
    close(op.pinv(y).flatten(1), y.flatten(1) @ torch.linalg.pinv(dense(op)).T)


def test_pinv_can_be_added_in_place(op: Separable, x: Tensor, y: Tensor) -> None:
    expected = x + op.pinv(y)
    op.add_pinv(x, y)
    close(x, expected)


def test_pinv_inverts_on_the_range(op: Separable, x: Tensor) -> None:
    close(op.forward(op.pinv(op.forward(x))), op.forward(x))


def test_range_projection_is_idempotent_and_symmetric(op: Separable, x: Tensor) -> None:
    projected = op.pinv(op.forward(x))
    close(op.pinv(op.forward(projected)), projected)
    other = torch.randn_like(x)
    close((projected * other).sum(), (x * op.pinv(op.forward(other))).sum())


def test_singular_values_are_those_of_the_dense_matrix(op: Separable, x: Tensor) -> None:
    rank_shape = [1 if axis.is_identity else axis.n_lr for axis in op.axes]
    assert list(op.singular_values(x).shape) == rank_shape
    full = op.singular_values(x).expand(op.lr_shape).flatten().sort().values
    close(full, torch.linalg.svdvals(dense(op)).sort().values)


def test_filtered_pinv_filters_singular_components(op: Separable, y: Tensor) -> None:
    u, s, vt = torch.linalg.svd(dense(op), full_matrices=False)
    gain = s**2 / (s**2 + 0.1)
    close(op.filtered_pinv(y, lambda s: s**2 / (s**2 + 0.1)).flatten(1), y.flatten(1) @ u * (gain / s) @ vt)


def test_filtered_pinv_with_unit_gain_is_the_pinv(op: Separable, y: Tensor) -> None:
    close(op.filtered_pinv(y, torch.ones_like), op.pinv(y))


def test_spectral_filter_treats_the_null_space_as_singular_value_zero(op: Separable, x: Tensor) -> None:
    eigenvalues, v = torch.linalg.eigh(dense(op).T @ dense(op))
    gain = torch.exp(-3 * eigenvalues.clamp_min(0))
    close(op.apply_spectral(x, lambda s: torch.exp(-3 * s**2)).flatten(1), x.flatten(1) @ v * gain @ v.T)


def test_constant_volumes_stay_constant(op: Separable) -> None:
    close(
        op.forward(torch.full(op.hr_shape, 7.0, dtype=torch.float64)), torch.full(op.lr_shape, 7.0).double()
    )


def test_scale_is_the_one_that_the_rounded_shape_gives() -> None:
    op = degradation_for((26, 10, 10), (1.25, 1, 1), BOX)
    assert op.hr_shape == (32, 10, 10)
    assert op.scale == (32 / 26, 1, 1)


def test_thick_slices_leave_the_plane_alone() -> None:
    x = torch.randn(8, 3, 3, dtype=torch.float64)
    close(degradation_for((2, 3, 3), (4, 1, 1), BOX).forward(x), x.reshape(2, 4, 3, 3).mean(1))


def test_single_precision_stays_single() -> None:
    op = OPERATORS["isotropic"]
    assert op.pinv(op.forward(torch.rand(op.hr_shape))).dtype == torch.float32


def test_wrong_shapes_are_refused() -> None:
    op = OPERATORS["isotropic"]
    with pytest.raises(GeometryError, match=r"needs \(12, 16, 8\)"):
        op.forward(torch.zeros(op.lr_shape))
    with pytest.raises(GeometryError, match=r"needs \(3, 4, 2\)"):
        op.pinv(torch.zeros(op.hr_shape))
    with pytest.raises(GeometryError, match="needs"):
        op.forward(torch.zeros(16, 8))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(GeometryError, match="at least 1"):
        degradation_for((4, 4, 4), (0.5, 1, 1))
    with pytest.raises(GeometryError, match="per axis"):
        degradation_for((4, 4, 4), (2, 2))
    with pytest.raises(GeometryError, match="at least one axis"):
        Separable()


def test_equal_axes_share_one_decomposition() -> None:
    assert axis_operator(16, 64, GAUSSIAN) is axis_operator(16, 64, GAUSSIAN)

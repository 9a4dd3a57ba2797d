"""What holds for every linear operator; a new one is a line in OPERATORS."""

import pytest
import torch

from nullsplat.physics.degradation import Separable, degradation_for
from nullsplat.physics.linear import HasPseudoInverse, LinearOperator
from nullsplat.physics.point_spread import PointSpread
from nullsplat.physics.projection.beam import beam_for
from nullsplat.physics.projection.projector import Projector

GRID = ((3, 7, 9), (2.0, 0.8, 0.7))
OPERATORS: dict[str, LinearOperator] = {
    "slices": degradation_for((5, 4, 6), (3.0, 1.0, 1.0), PointSpread("bell", 1.2)),
    "all axes": degradation_for((3, 4, 5), (2.0, 1.5, 2.0)),
    "projections": degradation_for((6, 8), (4.0, 2.0)),
    "projector": Projector(beam_for(*GRID, views=5), *GRID),
}
OPERATORS |= {f"{name}, transposed": A.T for name, A in OPERATORS.items()}
INVERTIBLE = {name: A for name, A in OPERATORS.items() if isinstance(A, HasPseudoInverse)}
each = pytest.mark.parametrize("A", OPERATORS.values(), ids=OPERATORS)


def random(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


@each
def test_shapes_are_those_of_the_domain_and_the_range(A: LinearOperator) -> None:
    assert tuple(A(random(A.domain_shape)).shape) == A.range_shape
    assert tuple(A.T(random(A.range_shape)).shape) == A.domain_shape


@each
def test_it_is_linear(A: LinearOperator) -> None:
    x, other = random(A.domain_shape), random(A.domain_shape)
    torch.testing.assert_close(A(2 * x - other), 2 * A(x) - A(other), rtol=1e-10, atol=1e-12)


@each
def test_the_adjoint_is_the_transpose(A: LinearOperator) -> None:
    x, y = random(A.domain_shape), random(A.range_shape)
    torch.testing.assert_close((A(x) * y).sum(), (x * A.T(y)).sum(), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(A.T.T(x), A(x), rtol=0, atol=0)


def test_only_the_degradations_have_a_pseudo_inverse() -> None:
    assert set(INVERTIBLE) == {"slices", "all axes", "projections"}


@pytest.mark.parametrize("A", INVERTIBLE.values(), ids=INVERTIBLE)
def test_a_pseudo_inverse_is_exact(A: Separable) -> None:
    Ax = A(random(A.domain_shape))
    torch.testing.assert_close(A(A.pinv(Ax)), Ax, rtol=1e-9, atol=1e-10)

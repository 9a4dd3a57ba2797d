"""Linear operators as formulas write them: A(x), A.T(y), A.pinv(y), A.domain_shape, A.range_shape."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


class LinearOperator(ABC):
    """A: from tensors of `domain_shape` to tensors of `range_shape`."""

    @property
    @abstractmethod
    def domain_shape(self) -> tuple[int, ...]:
        """Shape of x."""

    @property
    @abstractmethod
    def range_shape(self) -> tuple[int, ...]:
        """Shape of A x."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "*domain"]) -> Float[Tensor, "*range"]:
        """A x."""

    @abstractmethod
    def adjoint(self, y: Float[Tensor, "*range"]) -> Float[Tensor, "*domain"]:
        """A^T y."""

    def __call__(self, x: Float[Tensor, "*domain"]) -> Float[Tensor, "*range"]:
        """A x."""
        return self.forward(x)

    @property
    def T(self) -> "LinearOperator":  # noqa: N802 - as in NumPy
        """The transpose."""
        return Transpose(self)


@dataclass(frozen=True)
class Transpose(LinearOperator):
    """A^T of an operator A."""

    of: LinearOperator

    @property
    def domain_shape(self) -> tuple[int, ...]:
        """Shape of y."""
        return self.of.range_shape

    @property
    def range_shape(self) -> tuple[int, ...]:
        """Shape of A^T y."""
        return self.of.domain_shape

    def forward(self, x: Float[Tensor, "*domain"]) -> Float[Tensor, "*range"]:
        """A^T y."""
        return self.of.adjoint(x)

    def adjoint(self, y: Float[Tensor, "*range"]) -> Float[Tensor, "*domain"]:
        """A x."""
        return self.of.forward(y)


@runtime_checkable
class HasPseudoInverse(Protocol):
    """An operator whose Moore-Penrose pseudo-inverse is exact: A A^+ A = A."""

    def pinv(self, y: Float[Tensor, "*range"]) -> Float[Tensor, "*domain"]:
        """A^+ y."""

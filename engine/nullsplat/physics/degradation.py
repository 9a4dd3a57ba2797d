"""How a high-resolution volume or projection becomes the measured one, and the exact way back."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import GeometryError
from nullsplat.physics.axis import AxisOperator, axis_operator
from nullsplat.physics.linear import LinearOperator
from nullsplat.physics.mode_product import add_along_axes, apply_along_axes
from nullsplat.physics.point_spread import GAUSSIAN, PointSpread

Gain = Callable[[Tensor], Tensor]
"""Takes singular values, returns one factor for each."""


class Separable(LinearOperator):
    """A = A_1 (x) A_2 (x) ... acting on the last axes of a tensor; axes before them are a batch.

    Its singular values are the products of those of the factors, so that its pseudo-inverse and every
    spectral filter cost one small matrix product an axis. Axes with factor 1 cost nothing.

    Args:
        axes: one operator for each of the last axes, in their order.
    """

    def __init__(self, *axes: AxisOperator) -> None:
        if not axes:
            raise GeometryError("a separable operator needs at least one axis, got none")
        self.axes = axes

    def __repr__(self) -> str:
        """Shapes and scales."""
        scales = ", ".join(f"{axis.scale:g}" for axis in self.axes)
        return f"Separable({self.hr_shape} -> {self.lr_shape}, scale ({scales}))"

    @property
    def hr_shape(self) -> tuple[int, ...]:
        """Voxels along the axes that are acted on."""
        return tuple(axis.n_hr for axis in self.axes)

    @property
    def lr_shape(self) -> tuple[int, ...]:
        """Samples along the axes that are acted on."""
        return tuple(axis.n_lr for axis in self.axes)

    @property
    def domain_shape(self) -> tuple[int, ...]:
        """That of the voxels, `hr_shape`."""
        return self.hr_shape

    @property
    def range_shape(self) -> tuple[int, ...]:
        """That of the samples, `lr_shape`."""
        return self.lr_shape

    @property
    def scale(self) -> tuple[float, ...]:
        """Voxels per sample along each axis."""
        return tuple(axis.scale for axis in self.axes)

    def forward(self, x: Float[Tensor, "*hr"]) -> Float[Tensor, "*lr"]:
        """A x.

        Raises:
            GeometryError: the last axes of `x` are not `hr_shape`.
        """
        self._check(x, self.hr_shape, "high")
        return apply_along_axes(x, self._factors("matrix", x))

    def adjoint(self, y: Float[Tensor, "*lr"]) -> Float[Tensor, "*hr"]:
        """A^T y.

        Raises:
            GeometryError: the last axes of `y` are not `lr_shape`.
        """
        self._check(y, self.lr_shape, "low")
        return apply_along_axes(y, _transposed(self._factors("matrix", y)))

    def pinv(self, y: Float[Tensor, "*lr"]) -> Float[Tensor, "*hr"]:
        """A^+ y, the smallest x among those that fit `y` best.

        Raises:
            GeometryError: the last axes of `y` are not `lr_shape`.
        """
        self._check(y, self.lr_shape, "low")
        return apply_along_axes(y, self._factors("pinv", y))

    def add_pinv(self, x: Float[Tensor, "*hr"], y: Float[Tensor, "*lr"]) -> None:
        """x + A^+ y, in place; `x` must be contiguous.

        Raises:
            GeometryError: the last axes of `x` or of `y` do not fit.
        """
        self._check(x, self.hr_shape, "high")
        self._check(y, self.lr_shape, "low")
        add_along_axes(x, y, self._factors("pinv", y))

    def filtered_pinv(self, y: Float[Tensor, "*lr"], gain: Gain) -> Float[Tensor, "*hr"]:
        """V diag(gain(s) / s) U^T y: the pseudo-inverse with each singular component multiplied by its gain.

        Raises:
            GeometryError: the last axes of `y` are not `lr_shape`.
        """
        self._check(y, self.lr_shape, "low")
        s = self.singular_values(y)
        components = apply_along_axes(y, _transposed(self._factors("u", y)))
        return apply_along_axes(components * (gain(s) / s), self._factors("v", y))

    def apply_spectral(self, x: Float[Tensor, "*hr"], gain: Gain) -> Float[Tensor, "*hr"]:
        """V diag(gain(s)) V^T x with the full V: components in the null space are multiplied by gain(0).

        Raises:
            GeometryError: the last axes of `x` are not `hr_shape`.
        """
        self._check(x, self.hr_shape, "high")
        s = self.singular_values(x)
        null_gain = gain(torch.zeros_like(s[(0,) * s.ndim]))
        components = apply_along_axes(x, _transposed(self._factors("v", x)))
        return null_gain * x + apply_along_axes(components * (gain(s) - null_gain), self._factors("v", x))

    def singular_values(self, like: Float[Tensor, "*shape"]) -> Float[Tensor, "*rank"]:
        """The singular values that are not zero, one tensor axis for each factor; broadcasts over identity axes.

        Args:
            like: gives data type and device.
        """
        one = torch.ones(1, dtype=like.dtype, device=like.device)
        factors = [one if axis.is_identity else axis.factor("s", like) for axis in self.axes]
        return reduce(lambda product, s: product[..., None] * s, factors[1:], factors[0])

    def _factors(
        self, name: Literal["matrix", "pinv", "u", "v"], like: Float[Tensor, "*shape"]
    ) -> list[Float[Tensor, "_ _"] | None]:
        return [None if axis.is_identity else axis.factor(name, like) for axis in self.axes]

    def _check(self, x: Float[Tensor, "*shape"], shape: tuple[int, ...], side: str) -> None:
        if tuple(x.shape[-len(shape) :]) != shape:
            raise GeometryError(
                f"{self} needs {shape} as last axes on its {side}-resolution side, got {tuple(x.shape)}"
            )


def degradation_for(
    lr_shape: Sequence[int],
    scale: Sequence[float | int],
    psf: PointSpread | Sequence[PointSpread] = GAUSSIAN,
) -> Separable:
    """The degradation that turns round(lr_shape * scale) voxels into `lr_shape` samples.

    Args:
        lr_shape: samples along each axis.
        scale: factor of each axis, at least 1; the factor in use is the one that the rounded shape gives.
        psf: point-spread function of each axis, or one for all.
    Raises:
        GeometryError: the lengths differ or a factor is below 1.
    """
    spreads = [psf] * len(lr_shape) if isinstance(psf, PointSpread) else list(psf)
    if not len(lr_shape) == len(scale) == len(spreads):
        raise GeometryError(f"one scale and one PSF per axis are needed, got {len(scale)} and {len(spreads)}")
    if min(scale) < 1:
        raise GeometryError(f"every scale must be at least 1, got {tuple(scale)}")
    axes = zip(lr_shape, scale, spreads, strict=True)
    return Separable(*(axis_operator(n, round(n * s), spread) for n, s, spread in axes))


def _transposed(
    matrices: Sequence[Float[Tensor, "_ _"] | None],
) -> list[Float[Tensor, "_ _"] | None]:
    return [None if matrix is None else matrix.T for matrix in matrices]

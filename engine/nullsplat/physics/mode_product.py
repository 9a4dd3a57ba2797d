"""Products of a tensor with one small matrix along each of its last axes."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

Matrix = Float[Tensor, "_ _"]


def apply_along_axes(
    x: Float[Tensor, "*shape"], matrices: Sequence[Matrix | None]
) -> Float[Tensor, "*result"]:
    """Multiply the last `len(matrices)` axes of `x`, each with its matrix; None leaves an axis as it is.

    The order does not change the result, only the cost: axes that shrink most come first.
    """
    for axis, matrix in _cheapest_first(matrices):
        x = _along(x, matrix, x.ndim + axis)
    return x


def add_along_axes(
    onto: Float[Tensor, "*result"], x: Float[Tensor, "*shape"], matrices: Sequence[Matrix | None]
) -> None:
    """Add `apply_along_axes(x, matrices)` in place, without another tensor of the result's size.

    Args:
        onto: what is added to; contiguous.
        x: what is multiplied.
        matrices: as in `apply_along_axes`.
    """
    chosen = _cheapest_first(matrices)
    for axis, matrix in chosen[:-1]:
        x = _along(x, matrix, x.ndim + axis)
    if chosen:
        axis, matrix = chosen[-1]
        _along(x, matrix, x.ndim + axis, onto)
    else:
        onto += x


def _cheapest_first(matrices: Sequence[Matrix | None]) -> list[tuple[int, Matrix]]:
    """Axes, counted from the last, with their matrices."""
    chosen = [(axis - len(matrices), matrix) for axis, matrix in enumerate(matrices) if matrix is not None]
    return sorted(chosen, key=lambda pair: pair[1].shape[0] / pair[1].shape[1])


def _along(
    x: Float[Tensor, "*shape"], matrix: Matrix, axis: int, onto: Float[Tensor, "*result"] | None = None
) -> Float[Tensor, "*result"]:
    """The product along one axis, added to `onto` where there is one."""
    outer, inner = x.shape[:axis], x.shape[axis + 1 :]
    if inner.numel() == 1:
        left, right = x.reshape(-1, x.shape[axis]), matrix.T
    elif outer.numel() == 1:
        left, right = matrix, x.reshape(x.shape[axis], -1)
    else:
        right = x.reshape(outer.numel(), x.shape[axis], inner.numel())
        left = matrix.expand(outer.numel(), *matrix.shape)
    if onto is None:
        return (left @ right).reshape(*outer, matrix.shape[0], *inner)
    into = onto.view(*left.shape[:-1], right.shape[-1])
    (into.baddbmm_ if into.ndim == 3 else into.addmm_)(left, right)
    return onto

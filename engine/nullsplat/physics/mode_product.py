"""Products of a tensor with one small matrix along each of its last axes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Matrix = Float[Tensor, "_ _"]


def apply_along_axes(
    x: Float[Tensor, "*shape"], matrices: Sequence[Matrix | None]
) -> Float[Tensor, "*result"]:
    """Multiply the last `len(matrices)` axes of `x`, each with its matrix; None leaves an axis as it is.

    The order does not change the result, only the cost: axes that shrink most come first.
    """
    chosen = [(axis - len(matrices), matrix) for axis, matrix in enumerate(matrices) if matrix is not None]
    for axis, matrix in sorted(chosen, key=lambda pair: pair[1].shape[0] / pair[1].shape[1]):
        x = _apply_along(x, matrix, x.ndim + axis)
    return x


def _apply_along(x: Float[Tensor, "*shape"], matrix: Matrix, axis: int) -> Float[Tensor, "*result"]:
    outer, inner = x.shape[:axis], x.shape[axis + 1 :]
    if inner.numel() == 1:
        product = x.reshape(-1, x.shape[axis]) @ matrix.T
    elif outer.numel() == 1:
        product = matrix @ x.reshape(x.shape[axis], -1)
    else:
        product = torch.matmul(matrix, x.reshape(outer.numel(), x.shape[axis], inner.numel()))
    return product.reshape(*outer, matrix.shape[0], *inner)

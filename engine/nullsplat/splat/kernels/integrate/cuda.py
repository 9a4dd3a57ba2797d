"""Triton: one program per Gaussian and view. Forward adds its footprint with atomics, backward only gathers.

No depth sort and no tile lists: the sum has no order. Atomic additions make the last bits of the forward result
depend on the order in which they arrive; the CPU version is the one that repeats bit for bit.
"""

# ruff: noqa: PLR0913, PLR0917, PLR0124 - a kernel's arguments are pointers and sizes; x == x is how it asks for NaN

import typing
from typing import Any

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from nullsplat.splat.kernels.triton_math import overlap

_TILE = {"TILE_Y": 8, "TILE_X": 16}


def integrate(
    means2d: Float[Tensor, "v n 2"],
    conics: Float[Tensor, "v n 3"],
    weights: Float[Tensor, "v n"],
    size: tuple[int, int],
    cutoff: float,
) -> Float[Tensor, "v rows columns"]:
    """See `kernels.integrate.integrate`."""
    image: Tensor = _Integrate.apply(means2d, conics, weights, size, cutoff)  # type: ignore[no-untyped-call]
    return image


class _Integrate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, means2d: Tensor, conics: Tensor, weights: Tensor, size: tuple[int, int], cutoff: float
    ) -> Tensor:
        tensors = [tensor.detach().contiguous() for tensor in (means2d, conics, weights)]
        ctx.save_for_backward(*tensors)
        ctx.limit = cutoff**2
        views, n = weights.shape
        image = means2d.new_zeros(views, *size)
        if n:
            _scatter[(n, views)](*tensors, image, n, *size, ctx.limit, num_warps=1, **_TILE)
        return image

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        tensors = ctx.saved_tensors
        outs = [torch.zeros_like(tensor) for tensor in tensors]
        (views, n), size = tensors[2].shape, gradient.shape[1:]
        if n:
            grid = (n, views)
            _gather[grid](*tensors, gradient.contiguous(), *outs, n, *size, ctx.limit, num_warps=1, **_TILE)
        return outs[0], outs[1], outs[2], None, None


@typing.no_type_check
@triton.jit
def _load(means, conics, weights, k, rows, columns, limit):
    """One Gaussian and the box of its footprint."""
    mx, my = tl.load(means + 2 * k), tl.load(means + 2 * k + 1)
    a, b, c = tl.load(conics + 3 * k), tl.load(conics + 3 * k + 1), tl.load(conics + 3 * k + 2)
    det = a * c - b * b
    ok = (a > 0) & (det > 0) & (mx == mx) & (my == my)
    per = limit / tl.where(ok, det, 1.0)
    x0, x1 = overlap(mx, tl.sqrt(tl.where(ok, c * per, 0.0)), columns, ok)
    y0, y1 = overlap(my, tl.sqrt(tl.where(ok, a * per, 0.0)), rows, ok)
    return mx, my, a, b, c, tl.load(weights + k), x0, x1, y0, y1


@typing.no_type_check
@triton.jit
def _scatter(
    means, conics, weights, image, n, rows, columns, limit, TILE_Y: tl.constexpr, TILE_X: tl.constexpr
):  # fmt: skip
    view = tl.program_id(1).to(tl.int64)
    k = view * n + tl.program_id(0)
    mx, my, a, b, c, weight, x0, x1, y0, y1 = _load(means, conics, weights, k, rows, columns, limit)
    start = image + view * rows * columns
    for top in range(y0, y1, TILE_Y):
        for left in range(x0, x1, TILE_X):
            y, x = top + tl.arange(0, TILE_Y)[:, None], left + tl.arange(0, TILE_X)[None, :]
            dx, dy = x - mx, y - my
            q = a * dx * dx + 2 * b * dx * dy + c * dy * dy
            tl.atomic_add(
                start + y * columns + x,
                weight * tl.exp(-0.5 * q),
                mask=(q <= limit) & (y < y1) & (x < x1),
                sem="relaxed",
            )


@typing.no_type_check
@triton.jit
def _gather(
    means, conics, weights, gradient, g_means, g_conics, g_weights, n, rows, columns, limit,
    TILE_Y: tl.constexpr, TILE_X: tl.constexpr,
):  # fmt: skip
    view = tl.program_id(1).to(tl.int64)
    k = view * n + tl.program_id(0)
    mx, my, a, b, c, weight, x0, x1, y0, y1 = _load(means, conics, weights, k, rows, columns, limit)
    start = gradient + view * rows * columns
    m = mx * 0.0
    m_x, m_y, m_xx, m_xy, m_yy = m, m, m, m, m
    for top in range(y0, y1, TILE_Y):
        for left in range(x0, x1, TILE_X):
            y, x = top + tl.arange(0, TILE_Y)[:, None], left + tl.arange(0, TILE_X)[None, :]
            dx, dy = x - mx, y - my
            q = a * dx * dx + 2 * b * dx * dy + c * dy * dy
            seen = (q <= limit) & (y < y1) & (x < x1)
            e = tl.load(start + y * columns + x, mask=seen, other=0.0) * tl.exp(-0.5 * tl.where(seen, q, 0.0))
            m += tl.sum(e)
            m_x += tl.sum(e * dx)
            m_y += tl.sum(e * dy)
            m_xx += tl.sum(e * dx * dx)
            m_xy += tl.sum(e * dx * dy)
            m_yy += tl.sum(e * dy * dy)
    tl.store(g_weights + k, m)
    tl.store(g_means + 2 * k, weight * (a * m_x + b * m_y))
    tl.store(g_means + 2 * k + 1, weight * (b * m_x + c * m_y))
    tl.store(g_conics + 3 * k, -0.5 * weight * m_xx)
    tl.store(g_conics + 3 * k + 1, -weight * m_xy)
    tl.store(g_conics + 3 * k + 2, -0.5 * weight * m_yy)

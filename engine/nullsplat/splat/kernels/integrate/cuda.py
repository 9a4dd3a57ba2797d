"""Triton: one program of one warp per Gaussian and view. Forward adds its footprint with atomics, backward gathers.

No depth sort and no tile lists: the sum has no order. Atomic additions make the last bits of the forward result
depend on the order in which they arrive; the CPU version is the one that repeats bit for bit. Footprints are those of
`kernels.integrate.integrate`: they end where q passes the square of the cut-off. docs/kernels.md counts instructions.
"""

# ruff: noqa: PLR0913, PLR0917, PLR0124 - a kernel's arguments are pointers and sizes; x == x is how it asks for NaN

import typing
from typing import Any

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from nullsplat.splat.kernels.triton_math import LAUNCH, gaussian, overlap


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
            _scatter[(n, views)](*tensors, image, n, *size, ctx.limit, **LAUNCH)
        return image

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        tensors = ctx.saved_tensors
        outs = [torch.zeros_like(tensor) for tensor in tensors]
        (views, n), size = tensors[2].shape, gradient.shape[1:]
        if n:
            grid = (n, views)
            _gather[grid](*tensors, gradient.contiguous(), *outs, n, *size, ctx.limit, **LAUNCH)
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
    down, right = tl.arange(0, TILE_Y)[:, None], tl.arange(0, TILE_X)[None, :]
    for top in range(y0, y1, TILE_Y):
        dy = (top - my) + down
        c_yy, b_y = c * dy * dy, 2 * b * dy
        line, inside = start + (top + down) * columns, top + down < y1
        for left in range(x0, x1, TILE_X):
            dx = (left - mx) + right
            q = c_yy + dx * (b_y + a * dx)
            seen = (q <= limit) & inside & (left + right < x1)
            tl.atomic_add(line + (left + right), weight * gaussian(q), mask=seen, sem="relaxed")


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
    down, right = tl.arange(0, TILE_Y)[:, None], tl.arange(0, TILE_X)[None, :]
    # Moments per place in the tile: they are summed over the tile once, not once per tile.
    m = tl.zeros([TILE_Y, TILE_X], means.dtype.element_ty)
    m_x, m_y, m_xx, m_xy, m_yy = m, m, m, m, m
    for top in range(y0, y1, TILE_Y):
        dy = (top - my) + down
        c_yy, b_y = c * dy * dy, 2 * b * dy
        line, inside = start + (top + down) * columns, top + down < y1
        for left in range(x0, x1, TILE_X):
            dx = (left - mx) + right
            q = c_yy + dx * (b_y + a * dx)
            seen = (q <= limit) & inside & (left + right < x1)
            e = tl.load(line + (left + right), mask=seen, other=0.0) * gaussian(tl.where(seen, q, 0.0))
            e_x, e_y = e * dx, e * dy
            m += e
            m_x += e_x
            m_y += e_y
            m_xx += e_x * dx
            m_xy += e_x * dy
            m_yy += e_y * dy
    s_x, s_y = tl.sum(m_x), tl.sum(m_y)
    tl.store(g_weights + k, tl.sum(m))
    tl.store(g_means + 2 * k, weight * (a * s_x + b * s_y))
    tl.store(g_means + 2 * k + 1, weight * (b * s_x + c * s_y))
    tl.store(g_conics + 3 * k, -0.5 * weight * tl.sum(m_xx))
    tl.store(g_conics + 3 * k + 1, -weight * tl.sum(m_xy))
    tl.store(g_conics + 3 * k + 2, -0.5 * weight * tl.sum(m_yy))

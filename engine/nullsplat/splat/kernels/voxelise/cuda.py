"""Triton: one program of one warp per Gaussian. Forward adds its voxels with atomics, backward only gathers.

Slice by slice, only the box of the ellipsoid's section there is visited: a third less than the ellipsoid's box. Atomic
additions make the last bits of the forward result depend on the order in which they arrive; the CPU
version is the one that repeats bit for bit.
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

_SLACK = tl.constexpr(1e-4)
"""What is added to the square of the cut-off where it only bounds a search, relative to it."""


def voxelise(
    means: Float[Tensor, "n 3"],
    precisions: Float[Tensor, "n 6"],
    density: Float[Tensor, " n"],
    shape: tuple[int, int, int],
    cutoff: float,
) -> Float[Tensor, "z y x"]:
    """See `kernels.voxelise.voxelise`."""
    volume: Tensor = _Voxelise.apply(means, precisions, density, shape, cutoff)  # type: ignore[no-untyped-call]
    return volume


class _Voxelise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        means: Tensor,
        precisions: Tensor,
        density: Tensor,
        shape: tuple[int, int, int],
        cutoff: float,
    ) -> Tensor:
        tensors = [tensor.detach().contiguous() for tensor in (means, precisions, density)]
        ctx.save_for_backward(*tensors)
        ctx.limit = cutoff**2
        volume = means.new_zeros(shape)
        if len(density):
            _scatter[(len(density),)](*tensors, volume, *shape, ctx.limit, **LAUNCH)
        return volume

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        tensors = ctx.saved_tensors
        outs = [torch.zeros_like(tensor) for tensor in tensors]
        if len(tensors[2]):
            grid = (len(tensors[2]),)
            _gather[grid](*tensors, gradient.contiguous(), *outs, *gradient.shape, ctx.limit, **LAUNCH)
        return outs[0], outs[1], outs[2], None, None


@typing.no_type_check
@triton.jit
def _load(means, precisions, density, k, nz, limit):
    """One Gaussian and the slices that it reaches; none if it is no Gaussian."""
    mx, my, mz = tl.load(means + 3 * k), tl.load(means + 3 * k + 1), tl.load(means + 3 * k + 2)
    p = precisions + 6 * k
    xx, xy, xz = tl.load(p), tl.load(p + 1), tl.load(p + 2)
    yy, yz, zz = tl.load(p + 3), tl.load(p + 4), tl.load(p + 5)
    minor = xx * yy - xy * xy
    det = zz * minor - xx * yz * yz - yy * xz * xz + 2 * xy * xz * yz
    ok = (xx > 0) & (minor > 0) & (det > 0) & (mx == mx) & (my == my) & (mz == mz)
    depth = tl.sqrt(tl.where(ok, minor * (limit / tl.where(ok, det, 1.0)), 0.0))
    z0, z1 = overlap(mz, depth, nz, ok)
    return mx, my, mz, xx, xy, xz, yy, yz, zz, tl.load(density + k), z0, z1


@typing.no_type_check
@triton.jit
def _section(mx, my, dz, xx, xy, xz, yy, yz, zz, ny, nx, limit):
    """The box of the ellipse in which the plane at depth dz meets the ellipsoid.

    Where q = (d - s dz)^T Q (d - s dz) + r dz^2 in the plane, with Q = (xx, xy, yy), the section is the ellipse
    of Q about s dz with limit - r dz^2. A little is added to its half widths, against rounding; q decides.
    """
    per = 1.0 / (xx * yy - xy * xy)
    s_x, s_y = (xy * yz - yy * xz) * per, (xy * xz - xx * yz) * per
    rest = limit - (zz + xz * s_x + yz * s_y) * dz * dz
    ok = rest > -_SLACK * limit
    rest = tl.maximum(rest, 0.0) + _SLACK * limit
    x0, x1 = overlap(mx + s_x * dz, tl.sqrt(rest * yy * per), nx, ok)
    y0, y1 = overlap(my + s_y * dz, tl.sqrt(rest * xx * per), ny, ok)
    return x0, x1, y0, y1


@typing.no_type_check
@triton.jit
def _scatter(
    means, precisions, density, volume, nz, ny, nx, limit, TILE_Y: tl.constexpr, TILE_X: tl.constexpr
):  # fmt: skip
    k = tl.program_id(0).to(tl.int64)
    mx, my, mz, xx, xy, xz, yy, yz, zz, rho, z0, z1 = _load(means, precisions, density, k, nz, limit)
    down, right = tl.arange(0, TILE_Y)[:, None], tl.arange(0, TILE_X)[None, :]
    start = volume + z0.to(tl.int64) * ny * nx
    for z in range(z0, z1):
        dz = z - mz
        x0, x1, y0, y1 = _section(mx, my, dz, xx, xy, xz, yy, yz, zz, ny, nx, limit)
        for top in range(y0, y1, TILE_Y):
            dy = (top - my) + down
            rest, slope = (yy * dy + 2 * yz * dz) * dy + zz * dz * dz, 2 * (xy * dy + xz * dz)
            line, inside = start + (top + down) * nx, top + down < y1
            for left in range(x0, x1, TILE_X):
                dx = (left - mx) + right
                q = rest + dx * (slope + xx * dx)
                seen = (q <= limit) & inside & (left + right < x1)
                tl.atomic_add(line + (left + right), rho * gaussian(q), mask=seen, sem="relaxed")
        start += ny * nx


@typing.no_type_check
@triton.jit
def _gather(
    means, precisions, density, gradient, g_means, g_precisions, g_density, nz, ny, nx, limit,
    TILE_Y: tl.constexpr, TILE_X: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(0).to(tl.int64)
    mx, my, mz, xx, xy, xz, yy, yz, zz, rho, z0, z1 = _load(means, precisions, density, k, nz, limit)
    down, right = tl.arange(0, TILE_Y)[:, None], tl.arange(0, TILE_X)[None, :]
    # Moments per place in the tile: they are summed over the tile once, not once per tile.
    m = tl.zeros([TILE_Y, TILE_X], means.dtype.element_ty)
    m_x, m_y, m_z, m_xx, m_xy, m_xz, m_yy, m_yz, m_zz = m, m, m, m, m, m, m, m, m
    start = gradient + z0.to(tl.int64) * ny * nx
    for z in range(z0, z1):
        dz = z - mz
        x0, x1, y0, y1 = _section(mx, my, dz, xx, xy, xz, yy, yz, zz, ny, nx, limit)
        for top in range(y0, y1, TILE_Y):
            dy = (top - my) + down
            rest, slope = (yy * dy + 2 * yz * dz) * dy + zz * dz * dz, 2 * (xy * dy + xz * dz)
            line, inside = start + (top + down) * nx, top + down < y1
            for left in range(x0, x1, TILE_X):
                dx = (left - mx) + right
                q = rest + dx * (slope + xx * dx)
                seen = (q <= limit) & inside & (left + right < x1)
                e = tl.load(line + (left + right), mask=seen, other=0.0) * gaussian(tl.where(seen, q, 0.0))
                e_x, e_y, e_z = e * dx, e * dy, e * dz
                m += e
                m_x += e_x
                m_y += e_y
                m_z += e_z
                m_xx += e_x * dx
                m_xy += e_x * dy
                m_xz += e_x * dz
                m_yy += e_y * dy
                m_yz += e_y * dz
                m_zz += e_z * dz
        start += ny * nx
    s_x, s_y, s_z = tl.sum(m_x), tl.sum(m_y), tl.sum(m_z)
    tl.store(g_density + k, tl.sum(m))
    tl.store(g_means + 3 * k, rho * (xx * s_x + xy * s_y + xz * s_z))
    tl.store(g_means + 3 * k + 1, rho * (xy * s_x + yy * s_y + yz * s_z))
    tl.store(g_means + 3 * k + 2, rho * (xz * s_x + yz * s_y + zz * s_z))
    g = g_precisions + 6 * k
    tl.store(g, -0.5 * rho * tl.sum(m_xx))
    tl.store(g + 1, -rho * tl.sum(m_xy))
    tl.store(g + 2, -rho * tl.sum(m_xz))
    tl.store(g + 3, -0.5 * rho * tl.sum(m_yy))
    tl.store(g + 4, -rho * tl.sum(m_yz))
    tl.store(g + 5, -0.5 * rho * tl.sum(m_zz))

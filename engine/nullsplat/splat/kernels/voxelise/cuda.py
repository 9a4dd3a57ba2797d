"""Triton: one program per Gaussian. Forward adds its voxels with atomics, backward only gathers.

Atomic additions make the last bits of the forward result depend on the order in which they arrive; the CPU
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

from nullsplat.splat.kernels.triton_math import overlap

_TILE = {"TILE_Y": 8, "TILE_X": 16}


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
            _scatter[(len(density),)](*tensors, volume, *shape, ctx.limit, num_warps=1, **_TILE)
        return volume

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        tensors = ctx.saved_tensors
        outs = [torch.zeros_like(tensor) for tensor in tensors]
        if len(tensors[2]):
            grid = (len(tensors[2]),)
            _gather[grid](
                *tensors, gradient.contiguous(), *outs, *gradient.shape, ctx.limit, num_warps=1, **_TILE
            )
        return outs[0], outs[1], outs[2], None, None


@typing.no_type_check
@triton.jit
def _load(means, precisions, density, k, nz, ny, nx, limit):
    """One Gaussian and the box of its ellipsoid."""
    mx, my, mz = tl.load(means + 3 * k), tl.load(means + 3 * k + 1), tl.load(means + 3 * k + 2)
    p = precisions + 6 * k
    xx, xy, xz = tl.load(p), tl.load(p + 1), tl.load(p + 2)
    yy, yz, zz = tl.load(p + 3), tl.load(p + 4), tl.load(p + 5)
    minor = xx * yy - xy * xy
    det = zz * minor - xx * yz * yz - yy * xz * xz + 2 * xy * xz * yz
    ok = (xx > 0) & (minor > 0) & (det > 0) & (mx == mx) & (my == my) & (mz == mz)
    per = limit / tl.where(ok, det, 1.0)
    x0, x1 = overlap(mx, tl.sqrt(tl.where(ok, (yy * zz - yz * yz) * per, 0.0)), nx, ok)
    y0, y1 = overlap(my, tl.sqrt(tl.where(ok, (xx * zz - xz * xz) * per, 0.0)), ny, ok)
    z0, z1 = overlap(mz, tl.sqrt(tl.where(ok, minor * per, 0.0)), nz, ok)
    return mx, my, mz, xx, xy, xz, yy, yz, zz, tl.load(density + k), x0, x1, y0, y1, z0, z1


@typing.no_type_check
@triton.jit
def _scatter(
    means, precisions, density, volume, nz, ny, nx, limit, TILE_Y: tl.constexpr, TILE_X: tl.constexpr
):  # fmt: skip
    k = tl.program_id(0).to(tl.int64)
    mx, my, mz, xx, xy, xz, yy, yz, zz, rho, x0, x1, y0, y1, z0, z1 = _load(
        means, precisions, density, k, nz, ny, nx, limit
    )
    start = volume + z0.to(tl.int64) * ny * nx
    for z in range(z0, z1):
        dz = z - mz
        for top in range(y0, y1, TILE_Y):
            for left in range(x0, x1, TILE_X):
                y, x = top + tl.arange(0, TILE_Y)[:, None], left + tl.arange(0, TILE_X)[None, :]
                dx, dy = x - mx, y - my
                q = (
                    xx * dx * dx
                    + yy * dy * dy
                    + zz * dz * dz
                    + 2 * (xy * dx * dy + xz * dx * dz + yz * dy * dz)
                )
                tl.atomic_add(
                    start + y * nx + x,
                    rho * tl.exp(-0.5 * q),
                    mask=(q <= limit) & (y < y1) & (x < x1),
                    sem="relaxed",
                )
        start += ny * nx


@typing.no_type_check
@triton.jit
def _gather(
    means, precisions, density, gradient, g_means, g_precisions, g_density, nz, ny, nx, limit,
    TILE_Y: tl.constexpr, TILE_X: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(0).to(tl.int64)
    mx, my, mz, xx, xy, xz, yy, yz, zz, rho, x0, x1, y0, y1, z0, z1 = _load(
        means, precisions, density, k, nz, ny, nx, limit
    )
    m = mx * 0.0
    m_x, m_y, m_z = m, m, m
    m_xx, m_xy, m_xz, m_yy, m_yz, m_zz = m, m, m, m, m, m
    start = gradient + z0.to(tl.int64) * ny * nx
    for z in range(z0, z1):
        dz = z - mz
        for top in range(y0, y1, TILE_Y):
            for left in range(x0, x1, TILE_X):
                y, x = top + tl.arange(0, TILE_Y)[:, None], left + tl.arange(0, TILE_X)[None, :]
                dx, dy = x - mx, y - my
                q = (
                    xx * dx * dx
                    + yy * dy * dy
                    + zz * dz * dz
                    + 2 * (xy * dx * dy + xz * dx * dz + yz * dy * dz)
                )
                seen = (q <= limit) & (y < y1) & (x < x1)
                e = tl.load(start + y * nx + x, mask=seen, other=0.0) * tl.exp(-0.5 * tl.where(seen, q, 0.0))
                s, s_x, s_y = tl.sum(e), tl.sum(e * dx), tl.sum(e * dy)
                m += s
                m_x += s_x
                m_y += s_y
                m_z += s * dz
                m_xx += tl.sum(e * dx * dx)
                m_xy += tl.sum(e * dx * dy)
                m_yy += tl.sum(e * dy * dy)
                m_xz += s_x * dz
                m_yz += s_y * dz
                m_zz += s * dz * dz
        start += ny * nx
    tl.store(g_density + k, m)
    tl.store(g_means + 3 * k, rho * (xx * m_x + xy * m_y + xz * m_z))
    tl.store(g_means + 3 * k + 1, rho * (xy * m_x + yy * m_y + yz * m_z))
    tl.store(g_means + 3 * k + 2, rho * (xz * m_x + yz * m_y + zz * m_z))
    g = g_precisions + 6 * k
    tl.store(g, -0.5 * rho * m_xx)
    tl.store(g + 1, -rho * m_xy)
    tl.store(g + 2, -rho * m_xz)
    tl.store(g + 3, -0.5 * rho * m_yy)
    tl.store(g + 4, -rho * m_yz)
    tl.store(g + 5, -0.5 * rho * m_zz)

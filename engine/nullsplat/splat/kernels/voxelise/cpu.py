"""numba: slabs of slices are filled in parallel, each in the Gaussians' order, so results are bit for bit repeatable.

Built like `kernels.integrate.cpu`: blocks of 16 columns without branches, forward scatters, backward gathers.
"""

import math
import typing
from typing import Any

import numba
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.physics.compiled import kernel
from nullsplat.splat.kernels.exponential import FASTMATH, LANES, gaussian, overlap

_SLAB = 8
_BLOCK = 64
_MOMENTS = 6


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
        ctx.save_for_backward(means, precisions, density)
        ctx.cutoff = cutoff
        arrays = [tensor.detach().contiguous().numpy() for tensor in (means, precisions, density)]
        padded = _scatter(*arrays, shape, cutoff**2)
        return torch.from_numpy(padded)[:, :, : shape[2]]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        arrays = [tensor.detach().contiguous().numpy() for tensor in ctx.saved_tensors]
        padded = torch.nn.functional.pad(gradient, (0, LANES)).contiguous().numpy()
        means, precisions, density = _gather(*arrays, padded, ctx.cutoff**2)
        return torch.from_numpy(means), torch.from_numpy(precisions), torch.from_numpy(density), None, None


@typing.no_type_check
@numba.njit(inline="always")
def _reach(p, limit):
    """Half extents of the ellipsoid q <= limit along x, y, z; NaN if the precision is not positive definite."""
    xx, xy, xz, yy, yz, zz = p[0], p[1], p[2], p[3], p[4], p[5]
    minor = xx * yy - xy * xy
    cx, cy = yy * zz - yz * yz, xx * zz - xz * xz
    det = zz * minor - xx * yz * yz - yy * xz * xz + np.float32(2) * xy * xz * yz
    if not (xx > 0 and minor > 0 and det > 0):
        nan = xx * np.float32(np.nan)
        return nan, nan, nan
    return math.sqrt(limit * cx / det), math.sqrt(limit * cy / det), math.sqrt(limit * minor / det)


@typing.no_type_check
@numba.njit(inline="always")
def _rows_at(p, dz, limit):
    """Middle and half height, relative to the mean, of the ellipsoid's section at depth dz; -1 if there is none."""
    yy = p[3] - p[1] * p[1] / p[0]
    yz = p[4] - p[1] * p[2] / p[0]
    rest = limit - (p[5] - p[2] * p[2] / p[0] - yz * yz / yy) * dz * dz
    if not rest >= 0:
        return rest, -np.float32(1) + rest * np.float32(0)
    return -yz / yy * dz, math.sqrt(rest / yy) * np.float32(1.0001)


@typing.no_type_check
@kernel(parallel=True, fastmath=FASTMATH, error_model="numpy")
def _scatter(means, precisions, density, shape, cutoff2):
    """Volume [z, y, x + LANES]; what lies in the padding is of no meaning."""
    nz, ny, nx = shape
    limit = means.dtype.type(cutoff2)
    zero, two = means.dtype.type(0), np.float32(2)
    pitch = nx + LANES
    volume = np.zeros(nz * ny * pitch, means.dtype)
    for slab in numba.prange((nz + _SLAB - 1) // _SLAB):
        for i in range(means.shape[0]):
            p = precisions[i]
            mx, my, mz, rho = means[i, 0], means[i, 1], means[i, 2], density[i]
            width, _, depth = _reach(p, limit)
            z0, z1 = overlap(mz, depth, slab * _SLAB, min(nz, slab * _SLAB + _SLAB))
            x0, x1 = overlap(mx, width, 0, nx)
            xx, xy, xz, yy, yz, zz = p[0], p[1], p[2], p[3], p[4], p[5]
            for z in range(z0, z1):
                dz = np.float32(z) - mz
                middle, height = _rows_at(p, dz, limit)
                y0, y1 = overlap(my + middle, height, 0, ny)
                for x in range(x0, x1, LANES):
                    left = np.float32(x) - mx
                    for y in range(y0, y1):
                        dy = np.float32(y) - my
                        rest, slope = (
                            yy * dy * dy + two * yz * dy * dz + zz * dz * dz,
                            two * (xy * dy + xz * dz),
                        )
                        start = np.uint64((z * ny + y) * pitch + x)
                        for j in range(LANES):
                            dx = left + np.float32(j)
                            q = rest + dx * (slope + xx * dx)
                            volume[start + np.uint64(j)] += rho * gaussian(q) if q <= limit else zero
    return volume.reshape((nz, ny, pitch))


@typing.no_type_check
@kernel(parallel=True, fastmath=FASTMATH, error_model="numpy")
def _gather(means, precisions, density, gradient, cutoff2):
    """Gradients with respect to means, precisions and density, from the volume's [z, y, x + LANES]."""
    n = means.shape[0]
    nz, ny, pitch = gradient.shape
    flat = gradient.reshape(-1)
    limit = means.dtype.type(cutoff2)
    zero, two, half = means.dtype.type(0), np.float32(2), np.float32(0.5)
    g_means, g_precisions, g_density = np.zeros_like(means), np.zeros_like(precisions), np.zeros_like(density)
    for block in numba.prange((n + _BLOCK - 1) // _BLOCK):
        lanes = np.empty(_MOMENTS * LANES, means.dtype)
        for i in range(block * _BLOCK, min(n, block * _BLOCK + _BLOCK)):
            p = precisions[i]
            mx, my, mz, rho = means[i, 0], means[i, 1], means[i, 2], density[i]
            width, _, depth = _reach(p, limit)
            z0, z1 = overlap(mz, depth, 0, nz)
            x0, x1 = overlap(mx, width, 0, pitch - LANES)
            xx, xy, xz, yy, yz, zz = p[0], p[1], p[2], p[3], p[4], p[5]
            m, m_x, m_y, m_z = zero, zero, zero, zero
            m_xx, m_xy, m_xz, m_yy, m_yz, m_zz = zero, zero, zero, zero, zero, zero
            for x in range(x0, x1, LANES):
                left = np.float32(x) - mx
                lanes[:] = zero
                for z in range(z0, z1):
                    dz = np.float32(z) - mz
                    middle, height = _rows_at(p, dz, limit)
                    y0, y1 = overlap(my + middle, height, 0, ny)
                    for y in range(y0, y1):
                        dy = np.float32(y) - my
                        rest, slope = (
                            yy * dy * dy + two * yz * dy * dz + zz * dz * dz,
                            two * (xy * dy + xz * dz),
                        )
                        start = np.uint64((z * ny + y) * pitch + x)
                        for j in range(LANES):
                            dx = left + np.float32(j)
                            q = rest + dx * (slope + xx * dx)
                            e = flat[start + np.uint64(j)] * gaussian(q) if q <= limit else zero
                            lanes[np.uint64(j)] += e
                            lanes[np.uint64(j + LANES)] += e * dy
                            lanes[np.uint64(j + 2 * LANES)] += e * dz
                            lanes[np.uint64(j + 3 * LANES)] += e * dy * dy
                            lanes[np.uint64(j + 4 * LANES)] += e * dy * dz
                            lanes[np.uint64(j + 5 * LANES)] += e * dz * dz
                for j in range(LANES):
                    dx = left + np.float32(j)
                    e, ey, ez = lanes[j], lanes[j + LANES], lanes[j + 2 * LANES]
                    m, m_x, m_xx = m + e, m_x + e * dx, m_xx + e * dx * dx
                    m_y, m_xy, m_yy = m_y + ey, m_xy + ey * dx, m_yy + lanes[j + 3 * LANES]
                    m_z, m_xz, m_zz = m_z + ez, m_xz + ez * dx, m_zz + lanes[j + 5 * LANES]
                    m_yz += lanes[j + 4 * LANES]
            g_density[i] = m
            g_means[i, 0] = rho * (xx * m_x + xy * m_y + xz * m_z)
            g_means[i, 1] = rho * (xy * m_x + yy * m_y + yz * m_z)
            g_means[i, 2] = rho * (xz * m_x + yz * m_y + zz * m_z)
            g_precisions[i, 0], g_precisions[i, 1], g_precisions[i, 2] = (
                -half * rho * m_xx,
                -rho * m_xy,
                -rho * m_xz,
            )
            g_precisions[i, 3], g_precisions[i, 4], g_precisions[i, 5] = (
                -half * rho * m_yy,
                -rho * m_yz,
                -half * rho * m_zz,
            )
    return g_means, g_precisions, g_density

"""numba: the same in closed form, one pass per Gaussian over all views, gradients written by hand.

A parallel beam about z needs only the six numbers of S: with c = cos t, s = sin t, J S J^T is
[[c^2 Sxx + 2 c s Sxy + s^2 Syy, c Sxz + s Syz], [., Szz]].
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
from nullsplat.physics.projection.beam import ParallelBeam

_BLOCK = 512


def project(
    means: Float[Tensor, "n 3"],
    log_scales: Float[Tensor, "n 3"],
    quats: Float[Tensor, "n 4"],
    density: Float[Tensor, " n"],
    beam: ParallelBeam,
) -> tuple[Float[Tensor, "v n 2"], Float[Tensor, "v n 3"], Float[Tensor, "v n"]]:
    """See `kernels.project.project`."""
    footprints: tuple[Tensor, Tensor, Tensor] = _Project.apply(means, log_scales, quats, density, beam)  # type: ignore[no-untyped-call]
    return footprints


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, means: Tensor, log_scales: Tensor, quats: Tensor, density: Tensor, beam: ParallelBeam
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.detector = _detector(beam, means)
        tensors = [tensor.detach().contiguous() for tensor in (means, log_scales.exp(), quats, density)]
        ctx.save_for_backward(*tensors)
        means2d, conics, weights = _forward(tuple(tensor.numpy() for tensor in tensors), ctx.detector)
        return torch.from_numpy(means2d), torch.from_numpy(conics), torch.from_numpy(weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        field = tuple(tensor.numpy() for tensor in ctx.saved_tensors)
        outer = tuple(gradient.contiguous().numpy() for gradient in gradients)
        means, log_scales, quats, density = _backward(field, ctx.detector, outer)
        tensors = (torch.from_numpy(array) for array in (means, log_scales, quats, density))
        return *tensors, None  # type: ignore[return-value]


def _detector(beam: ParallelBeam, like: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions [v, 2], pixels per mm [2] and the central pixel [2], along (column, row), in the tensors' precision."""
    dtype = like.detach().numpy().dtype
    angles = np.asarray(beam.angles)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(dtype)
    per_mm = np.array([1 / beam.column_spacing, 1 / beam.row_spacing], dtype)
    middle = np.array([(beam.columns - 1) / 2, (beam.rows - 1) / 2], dtype)
    return directions, per_mm, middle


@typing.no_type_check
@numba.njit(inline="always")
def _axes(quat, scale, axes):
    """Write M = R diag(scale), so that S = M M^T, into `axes` [3, 3]; R from a quaternion wxyz of any length."""
    norm = math.sqrt(quat[0] ** 2 + quat[1] ** 2 + quat[2] ** 2 + quat[3] ** 2)
    w, x, y, z = quat[0] / norm, quat[1] / norm, quat[2] / norm, quat[3] / norm
    two = np.float32(2)
    one = np.float32(1)
    axes[0, 0], axes[0, 1], axes[0, 2] = (
        one - two * (y * y + z * z),
        two * (x * y - w * z),
        two * (x * z + w * y),
    )
    axes[1, 0], axes[1, 1], axes[1, 2] = (
        two * (x * y + w * z),
        one - two * (x * x + z * z),
        two * (y * z - w * x),
    )
    axes[2, 0], axes[2, 1], axes[2, 2] = (
        two * (x * z - w * y),
        two * (y * z + w * x),
        one - two * (x * x + y * y),
    )
    for row in range(3):
        for k in range(3):
            axes[row, k] *= scale[k]


@typing.no_type_check
@numba.njit(inline="always")
def _conic(m, c, s, per_mm):
    """(a, b, c) of the footprint and the root of its determinant; from the rows of J M, which lose no digits."""
    u0, u1, u2 = (
        (c * m[0, 0] + s * m[1, 0]) * per_mm[0],
        (c * m[0, 1] + s * m[1, 1]) * per_mm[0],
        (c * m[0, 2] + s * m[1, 2]) * per_mm[0],
    )
    r0, r1, r2 = m[2, 0] * per_mm[1], m[2, 1] * per_mm[1], m[2, 2] * per_mm[1]
    # |J M M^T J^T| is the squared length of the cross product of the rows: no cancellation (Cauchy-Binet).
    n0, n1, n2 = u1 * r2 - u2 * r1, u2 * r0 - u0 * r2, u0 * r1 - u1 * r0
    det = n0 * n0 + n1 * n1 + n2 * n2
    uu, ur, rr = u0 * u0 + u1 * u1 + u2 * u2, u0 * r0 + u1 * r1 + u2 * r2, r0 * r0 + r1 * r1 + r2 * r2
    return rr / det, -ur / det, uu / det, np.float32(1) / math.sqrt(det)


@typing.no_type_check
@numba.njit(inline="always")
def _peak(scale, per_mm):
    """sqrt(2 pi |S|) per pixel area; times density and the root of the conic's determinant it is the weight."""
    return np.float32(math.sqrt(2 * math.pi)) * scale[0] * scale[1] * scale[2] * per_mm[0] * per_mm[1]


@typing.no_type_check
@kernel(parallel=True, error_model="numpy")
def _forward(field, detector):
    """Footprints; `field` and `detector` are what `_Project` saves and `_detector` returns."""
    means, scales, quats, density = field
    directions, per_mm, middle = detector
    n, views = means.shape[0], directions.shape[0]
    means2d = np.empty((views, n, 2), means.dtype)
    conics = np.empty((views, n, 3), means.dtype)
    weights = np.empty((views, n), means.dtype)
    for block in numba.prange((n + _BLOCK - 1) // _BLOCK):
        m = np.empty((3, 3), means.dtype)
        for i in range(block * _BLOCK, min(n, block * _BLOCK + _BLOCK)):
            _axes(quats[i], scales[i], m)
            peak = density[i] * _peak(scales[i], per_mm)
            for v in range(views):
                c, s = directions[v, 0], directions[v, 1]
                means2d[v, i, 0] = (c * means[i, 0] + s * means[i, 1]) * per_mm[0] + middle[0]
                means2d[v, i, 1] = means[i, 2] * per_mm[1] + middle[1]
                qa, qb, qc, root = _conic(m, c, s, per_mm)
                conics[v, i, 0], conics[v, i, 1], conics[v, i, 2] = qa, qb, qc
                weights[v, i] = peak * root
    return means2d, conics, weights


@typing.no_type_check
@kernel(parallel=True, error_model="numpy")
def _backward(field, detector, gradients):
    """Gradients with respect to means, logarithms of scales, quaternions and density."""
    means, scales, quats, density = field
    directions, per_mm, _ = detector
    g_means2d, g_conics, g_weights = gradients
    n, views = means.shape[0], directions.shape[0]
    g_means, g_scales = np.zeros_like(means), np.zeros_like(scales)
    g_quats, g_density = np.zeros_like(quats), np.zeros_like(density)
    zero, half, two = means.dtype.type(0), np.float32(0.5), np.float32(2)
    for block in numba.prange((n + _BLOCK - 1) // _BLOCK):
        m, gs = np.empty((3, 3), means.dtype), np.empty((3, 3), means.dtype)
        for i in range(block * _BLOCK, min(n, block * _BLOCK + _BLOCK)):
            _axes(quats[i], scales[i], m)
            peak = _peak(scales[i], per_mm)
            sxx, sxy, syy, sxz, syz, szz, mass = zero, zero, zero, zero, zero, zero, zero
            for v in range(views):
                c, s = directions[v, 0], directions[v, 1]
                gu = g_means2d[v, i, 0] * per_mm[0]
                g_means[i, 0] += gu * c
                g_means[i, 1] += gu * s
                g_means[i, 2] += g_means2d[v, i, 1] * per_mm[1]
                qa, qb, qc, root = _conic(m, c, s, per_mm)
                gw = g_weights[v, i] * peak * root
                mass += gw
                # d conic = -Q dC Q and d sqrt|Q| = -1/2 sqrt|Q| tr(Q dC), for the covariance C = Q^-1.
                ga, gb, gc = g_conics[v, i, 0], half * g_conics[v, i, 1], g_conics[v, i, 2]
                ta, tb, tc, td = ga * qa + gb * qb, ga * qb + gb * qc, gb * qa + gc * qb, gb * qb + gc * qc
                shrink = half * gw * density[i]
                guu = -(qa * ta + qb * tc) - shrink * qa
                gur = -(qa * tb + qb * td) - shrink * qb
                grr = -(qb * tb + qc * td) - shrink * qc
                guu, gur, grr = guu * per_mm[0] ** 2, gur * per_mm[0] * per_mm[1], grr * per_mm[1] ** 2
                sxx, sxy, syy = sxx + guu * c * c, sxy + guu * c * s, syy + guu * s * s
                sxz, syz, szz = sxz + gur * c, syz + gur * s, szz + grr
            g_density[i] = mass
            gs[0, 0], gs[0, 1], gs[0, 2] = sxx, sxy, sxz
            gs[1, 0], gs[1, 1], gs[1, 2] = sxy, syy, syz
            gs[2, 0], gs[2, 1], gs[2, 2] = sxz, syz, szz
            for k in range(3):
                # S = M M^T, hence dL/dM = 2 (dL/dS) M.
                g0 = two * (sxx * m[0, k] + sxy * m[1, k] + sxz * m[2, k])
                g1 = two * (sxy * m[0, k] + syy * m[1, k] + syz * m[2, k])
                g2 = two * (sxz * m[0, k] + syz * m[1, k] + szz * m[2, k])
                g_scales[i, k] = g0 * m[0, k] + g1 * m[1, k] + g2 * m[2, k] + mass * density[i]
                gs[0, k], gs[1, k], gs[2, k] = g0 * scales[i, k], g1 * scales[i, k], g2 * scales[i, k]
            _quat_gradient(quats[i], gs, g_quats[i])
    return g_means, g_scales, g_quats, g_density


@typing.no_type_check
@numba.njit(inline="always")
def _quat_gradient(quat, g, out):
    """Gradient with respect to a quaternion of any length from that of its rotation matrix, `g` [3, 3]."""
    norm = math.sqrt(quat[0] ** 2 + quat[1] ** 2 + quat[2] ** 2 + quat[3] ** 2)
    w, x, y, z = quat[0] / norm, quat[1] / norm, quat[2] / norm, quat[3] / norm
    two = np.float32(2)
    gw = two * (x * (g[2, 1] - g[1, 2]) + y * (g[0, 2] - g[2, 0]) + z * (g[1, 0] - g[0, 1]))
    gx = two * (
        y * (g[0, 1] + g[1, 0])
        + z * (g[0, 2] + g[2, 0])
        + w * (g[2, 1] - g[1, 2])
        - two * x * (g[1, 1] + g[2, 2])
    )
    gy = two * (
        x * (g[0, 1] + g[1, 0])
        + z * (g[1, 2] + g[2, 1])
        + w * (g[0, 2] - g[2, 0])
        - two * y * (g[0, 0] + g[2, 2])
    )
    gz = two * (
        x * (g[0, 2] + g[2, 0])
        + y * (g[1, 2] + g[2, 1])
        + w * (g[1, 0] - g[0, 1])
        - two * z * (g[0, 0] + g[1, 1])
    )
    along = gw * w + gx * x + gy * y + gz * z
    out[0], out[1], out[2], out[3] = (
        (gw - along * w) / norm,
        (gx - along * x) / norm,
        (gy - along * y) / norm,
        (gz - along * z) / norm,
    )

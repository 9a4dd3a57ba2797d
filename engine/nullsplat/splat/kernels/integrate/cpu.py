"""numba: bands of rows are filled in parallel, each in the Gaussians' order, so results are bit for bit repeatable.

Forward scatters footprints in blocks of 16 columns, backward gathers the moments of gradient x Gaussian; both
keep the inner loop free of branches, so that it compiles to vector instructions.
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

_BAND = 16
_BLOCK = 256


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
        ctx.save_for_backward(means2d, conics, weights)
        ctx.cutoff = cutoff
        arrays = [tensor.detach().contiguous().numpy() for tensor in (means2d, conics, weights)]
        offsets, members = _bin(arrays[0], arrays[1], size[0], cutoff**2)
        padded = _scatter(tuple(arrays), (offsets, members), size, cutoff**2)
        return torch.from_numpy(padded)[:, :, : size[1]]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        arrays = [tensor.detach().contiguous().numpy() for tensor in ctx.saved_tensors]
        padded = torch.nn.functional.pad(gradient, (0, LANES)).contiguous().numpy()
        means, conics, weights = _gather(*arrays, padded, ctx.cutoff**2)
        return torch.from_numpy(means), torch.from_numpy(conics), torch.from_numpy(weights), None, None


@typing.no_type_check
@numba.njit(inline="always")
def _reach(conic, limit):
    """Half width and half height of the ellipse q <= limit; NaN if the conic is not positive definite."""
    a, b, c = conic[0], conic[1], conic[2]
    det = a * c - b * b
    if not (det > 0 and a > 0):
        return a * np.float32(np.nan), a * np.float32(np.nan)
    return math.sqrt(limit * c / det), math.sqrt(limit * a / det)


@typing.no_type_check
@kernel(error_model="numpy")
def _bin(means, conics, rows, limit):
    """For each view and band of rows, the Gaussians that touch it, in ascending order.

    Returns (offsets [v, bands + 1], members [v, most]).
    """
    views, n = means.shape[0], means.shape[1]
    bands = (rows + _BAND - 1) // _BAND
    offsets = np.zeros((views, bands + 1), np.int64)
    first, last = np.empty((views, n), np.int32), np.empty((views, n), np.int32)
    for v in range(views):
        for i in range(n):
            _, height = _reach(conics[v, i], limit)
            low, high = overlap(means[v, i, 1], height, 0, rows)
            first[v, i], last[v, i] = low // _BAND, (high + _BAND - 1) // _BAND if high > low else 0
            for band in range(first[v, i], last[v, i]):
                offsets[v, band + 1] += 1
        for band in range(bands):
            offsets[v, band + 1] += offsets[v, band]
    members = np.empty((views, offsets[:, bands].max()), np.int32)
    for v in range(views):
        position = offsets[v].copy()
        for i in range(n):
            for band in range(first[v, i], last[v, i]):
                members[v, position[band]] = i
                position[band] += 1
    return offsets, members


@typing.no_type_check
@kernel(parallel=True, fastmath=FASTMATH, error_model="numpy")
def _scatter(gaussians, bins, size, cutoff2):
    """Images [v, rows, columns + LANES]; what lies in the padding is of no meaning."""
    means, conics, weights = gaussians
    offsets, members = bins
    views, bands = means.shape[0], offsets.shape[1] - 1
    rows, columns = size
    limit = means.dtype.type(cutoff2)
    zero = means.dtype.type(0)
    pitch = columns + LANES
    image = np.zeros(views * rows * pitch, means.dtype)
    for task in numba.prange(views * bands):
        v, band = task // bands, task % bands
        for k in range(offsets[v, band], offsets[v, band + 1]):
            i = members[v, k]
            mx, my, weight = means[v, i, 0], means[v, i, 1], weights[v, i]
            a, b, c = conics[v, i, 0], conics[v, i, 1], conics[v, i, 2]
            width, height = _reach(conics[v, i], limit)
            x0, x1 = overlap(mx, width, 0, columns)
            y0, y1 = overlap(my, height, band * _BAND, min(rows, band * _BAND + _BAND))
            for x in range(x0, x1, LANES):
                left = np.float32(x) - mx
                for y in range(y0, y1):
                    dy = np.float32(y) - my
                    cyy, bxy = c * dy * dy, np.float32(2) * b * dy
                    start = np.uint64((v * rows + y) * pitch + x)
                    for j in range(LANES):
                        dx = left + np.float32(j)
                        q = cyy + dx * (bxy + a * dx)
                        image[start + np.uint64(j)] += weight * gaussian(q) if q <= limit else zero
    return image.reshape((views, rows, pitch))


@typing.no_type_check
@kernel(parallel=True, fastmath=FASTMATH, error_model="numpy")
def _gather(means, conics, weights, gradient, cutoff2):
    """Gradients with respect to means, conics and weights, from the image's [v, rows, columns + LANES]."""
    views, n = means.shape[0], means.shape[1]
    rows, pitch = gradient.shape[1], gradient.shape[2]
    flat = gradient.reshape(-1)
    limit = means.dtype.type(cutoff2)
    zero = means.dtype.type(0)
    g_means, g_conics, g_weights = np.zeros_like(means), np.zeros_like(conics), np.zeros_like(weights)
    blocks = (n + _BLOCK - 1) // _BLOCK
    for task in numba.prange(views * blocks):
        v, block = task // blocks, task % blocks
        lanes = np.empty(3 * LANES, means.dtype)
        for i in range(block * _BLOCK, min(n, block * _BLOCK + _BLOCK)):
            mx, my, weight = means[v, i, 0], means[v, i, 1], weights[v, i]
            a, b, c = conics[v, i, 0], conics[v, i, 1], conics[v, i, 2]
            width, height = _reach(conics[v, i], limit)
            x0, x1 = overlap(mx, width, 0, pitch - LANES)
            y0, y1 = overlap(my, height, 0, rows)
            m, mx1, my1, mxx, mxy, myy = zero, zero, zero, zero, zero, zero
            for x in range(x0, x1, LANES):
                left = np.float32(x) - mx
                lanes[:] = zero
                for y in range(y0, y1):
                    dy = np.float32(y) - my
                    cyy, bxy = c * dy * dy, np.float32(2) * b * dy
                    start = np.uint64((v * rows + y) * pitch + x)
                    for j in range(LANES):
                        dx = left + np.float32(j)
                        q = cyy + dx * (bxy + a * dx)
                        e = flat[start + np.uint64(j)] * gaussian(q) if q <= limit else zero
                        lanes[np.uint64(j)] += e
                        lanes[np.uint64(j + LANES)] += e * dy
                        lanes[np.uint64(j + 2 * LANES)] += e * dy * dy
                for j in range(LANES):
                    dx = left + np.float32(j)
                    e, ey = lanes[j], lanes[j + LANES]
                    m, mx1, mxx = m + e, mx1 + e * dx, mxx + e * dx * dx
                    my1, mxy, myy = my1 + ey, mxy + ey * dx, myy + lanes[j + 2 * LANES]
            g_weights[v, i] = m
            g_means[v, i, 0] = weight * (a * mx1 + b * my1)
            g_means[v, i, 1] = weight * (b * mx1 + c * my1)
            g_conics[v, i, 0] = np.float32(-0.5) * weight * mxx
            g_conics[v, i, 1] = -weight * mxy
            g_conics[v, i, 2] = np.float32(-0.5) * weight * myy
    return g_means, g_conics, g_weights

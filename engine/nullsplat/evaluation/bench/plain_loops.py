"""The loops that one writes first for sums of 2-D Gaussians, as a yardstick: numba, parallel over the Gaussians.

One image per thread, the C library's exp, everything over the bounding box.
"""

import math
import typing

import numba
import numpy as np

from nullsplat.physics.compiled import kernel
from nullsplat.splat.kernels.exponential import CUTOFF

_LIMIT = CUTOFF**2


@typing.no_type_check
@kernel(inline="always")
def _box(mean, conic, rows, columns):
    """First and last row and column (past the end) of the rectangle around the cut-off ellipse."""
    a, b, c = conic
    det = a * c - b * b
    width, height = math.sqrt(_LIMIT * c / det), math.sqrt(_LIMIT * a / det)
    top, bottom = max(0, math.ceil(mean[1] - height)), min(rows, math.floor(mean[1] + height) + 1)
    left, right = max(0, math.ceil(mean[0] - width)), min(columns, math.floor(mean[0] + width) + 1)
    return top, bottom, left, right


@typing.no_type_check
@kernel(parallel=True)
def forward(means, conics, weights, size, threads):
    """The image [rows, columns] of Gaussians: means [n, 2], conics [n, 3] and weights [n], as in `integrate`."""
    rows, columns = size
    images = np.zeros((threads, rows, columns), np.float32)
    for t in numba.prange(threads):
        for i in range(t, means.shape[0], threads):
            a, b, c = conics[i]
            top, bottom, left, right = _box(means[i], conics[i], rows, columns)
            for y in range(top, bottom):
                dy = y - means[i, 1]
                for x in range(left, right):
                    dx = x - means[i, 0]
                    q = a * dx * dx + 2 * b * dx * dy + c * dy * dy
                    if q <= _LIMIT:
                        images[t, y, x] += weights[i] * math.exp(np.float32(-0.5) * q)
    return images.sum(0)


@typing.no_type_check
@kernel(parallel=True)
def backward(means, conics, weights, gradient):
    """Gradients [n, 6]: of weight, mean x, mean y, and the conic's three numbers."""
    rows, columns = gradient.shape
    out = np.zeros((means.shape[0], 6), np.float32)
    for i in numba.prange(means.shape[0]):
        a, b, c = conics[i]
        top, bottom, left, right = _box(means[i], conics[i], rows, columns)
        for y in range(top, bottom):
            dy = y - means[i, 1]
            for x in range(left, right):
                dx = x - means[i, 0]
                q = a * dx * dx + 2 * b * dx * dy + c * dy * dy
                if q <= _LIMIT:
                    e = gradient[y, x] * math.exp(np.float32(-0.5) * q)
                    w = weights[i] * e
                    out[i, 0] += e
                    out[i, 1] += w * (a * dx + b * dy)
                    out[i, 2] += w * (b * dx + c * dy)
                    out[i, 3] -= w * dx * dx / 2
                    out[i, 4] -= w * dx * dy
                    out[i, 5] -= w * dy * dy / 2
    return out

"""One step down the total variation on the CPU: in place, compiled, parallel over slabs of slices."""

from typing import no_type_check

import numba
import numpy as np
from numba import prange
from numpy import ndarray

from nullsplat.physics.compiled import kernel

_WORTH_A_THREAD = 1 << 18
"""Voxels; below that, waiting for another thread takes longer than the work."""

Weights3 = tuple[float, float, float]


def descend(x: ndarray, step: float, epsilon: float, weights: Weights3, threads: int) -> None:
    """x <- x - step grad TV(x).

    Forward differences look ahead only, and what a voxel owes to those behind it is carried along in a plane
    and a row, so that each voxel can be overwritten as soon as it has been visited.

    Args:
        x: float32 or float64, [z, y, x], contiguous.
        step: in units of `x`.
        epsilon: smoothing of the norm at 0, in units of `x`.
        weights: of the differences along (z, y, x).
        threads: slabs that are worked on at the same time.
    """
    kind = x.dtype.type
    slabs = max(1, min(threads, x.shape[0] // 4, x.size // _WORTH_A_THREAD))
    edges = np.linspace(0, x.shape[0], slabs + 1).astype(np.int64)
    ahead = np.stack([x[min(edge, x.shape[0] - 1)] for edge in edges[1:]])
    behind = np.stack([x[max(edge - 1, 0)] for edge in edges[:-1]])
    squared = tuple(kind(w * w) for w in weights)
    before = numba.get_num_threads()
    numba.set_num_threads(min(slabs, before))
    try:
        _descend(x, ahead, behind, edges, (kind(step), kind(epsilon**2), *squared))
    finally:
        numba.set_num_threads(before)


@no_type_check
@kernel(parallel=True, fastmath=True)
def _descend(x, ahead, behind, edges, constants):
    step, epsilon2, wz, wy, wx = constants
    _, height, width = x.shape
    end = width - 1
    for slab in prange(len(edges) - 1):
        first, last = edges[slab], edges[slab + 1]
        owed_z = np.zeros((height, width), x.dtype)
        if first > 0:
            _owed_by_plane(behind[slab], x[first], owed_z, constants)
        owed_y = np.empty(width, x.dtype)
        change = np.empty(width, x.dtype)
        flux_x = np.zeros(width + 1, x.dtype)
        for z in range(first, last):
            above = x[z + 1] if z + 1 < last else ahead[slab]
            owed_y[:] = 0
            for y in range(height):
                row, up, below, owed = x[z, y], above[y], x[z, min(y + 1, height - 1)], owed_z[y]
                for i in range(end):
                    dz, dy, dx = up[i] - row[i], below[i] - row[i], row[i + 1] - row[i]
                    scale = step / np.sqrt(epsilon2 + wz * dz * dz + wy * dy * dy + wx * dx * dx)
                    fz, fy, fx = wz * dz * scale, wy * dy * scale, wx * dx * scale
                    change[i] = fz + fy + fx - owed[i] - owed_y[i]
                    owed[i], owed_y[i], flux_x[i + 1] = fz, fy, fx
                dz, dy = up[end] - row[end], below[end] - row[end]
                scale = step / np.sqrt(epsilon2 + wz * dz * dz + wy * dy * dy)
                change[end] = (wz * dz + wy * dy) * scale - owed[end] - owed_y[end]
                owed[end], owed_y[end] = wz * dz * scale, wy * dy * scale
                for i in range(width):
                    row[i] += change[i] - flux_x[i]


@no_type_check
@numba.njit(fastmath=True)
def _owed_by_plane(plane, above, owed_z, constants):
    """What the slice before a slab passes on along z."""
    step, epsilon2, wz, wy, wx = constants
    height, width = plane.shape
    for y in range(height):
        for i in range(width):
            dz = above[y, i] - plane[y, i]
            dy = plane[min(y + 1, height - 1), i] - plane[y, i]
            dx = plane[y, min(i + 1, width - 1)] - plane[y, i]
            owed_z[y, i] = step * wz * dz / np.sqrt(epsilon2 + wz * dz * dz + wy * dy * dy + wx * dx * dx)

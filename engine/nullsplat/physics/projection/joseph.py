"""Joseph's line integrals through a stack of slices, as numba loops for the CPU.

A ray is sampled once per row (or per column, whichever it crosses more steeply) with linear interpolation
along the other axis. The adjoint scatters with the very same weights, so it is the true transpose.
Source: Joseph, IEEE Trans. Med. Imaging 1(3), 1982.
"""

import math
import typing

import numba
import numpy as np
from numpy import ndarray

from nullsplat.physics.compiled import kernel


@typing.no_type_check
@kernel(fastmath=False, inline="always")
def _crossing(angle, sizes, spacings):
    """How a view samples a slice: (steps along y?, weight, index slope per ray, per step, offset)."""
    ny, nx = sizes
    dy, dx, du, columns = spacings
    c, s = math.cos(angle), math.sin(angle)
    along_y = abs(c) * dx >= abs(s) * dy
    # On the ray: x cos + y sin = u, hence x = (u - y sin) / cos, or y = (u - x cos) / sin.
    if along_y:
        lead, cross, step, width, steps, n = c, s, dy, dx, ny, nx
    else:
        lead, cross, step, width, steps, n = s, c, dx, dy, nx, ny
    per_ray = du / (lead * width)
    per_step = -cross * step / (lead * width)
    offset = (n - 1) / 2 - per_ray * (columns - 1) / 2 - per_step * (steps - 1) / 2
    return along_y, step / abs(lead), per_ray, per_step, offset


@typing.no_type_check
@kernel(parallel=True)
def forward(volume, angles, spacings, out):
    """Add the line integrals of `volume` [z, y, x] to `out` [v, z, u]."""
    views, rows, columns = out.shape
    ny, nx = volume.shape[1], volume.shape[2]
    for z in numba.prange(rows):
        image = volume[z]
        turned = np.ascontiguousarray(image.T)
        for v in range(views):
            along_y, weight, per_ray, per_step, offset = _crossing(
                angles[v], (ny, nx), (spacings[0], spacings[1], spacings[2], columns)
            )
            lines = image if along_y else turned
            steps, n = lines.shape
            total = np.zeros(columns, dtype=volume.dtype)
            for i in range(steps):
                line = lines[i]
                start = offset + per_step * i
                for k in range(columns):
                    position = start + per_ray * k
                    left = math.floor(position)
                    if 0 <= left < n - 1:
                        f = volume.dtype.type(position - left)
                        j = int(left)
                        total[k] += line[j] + f * (line[j + 1] - line[j])
                    elif left == -1:
                        total[k] += volume.dtype.type(position + 1) * line[0]
                    elif left == n - 1:
                        total[k] += volume.dtype.type(n - position) * line[n - 1]
            for k in range(columns):
                out[v, z, k] += volume.dtype.type(weight) * total[k]


@typing.no_type_check
@kernel(parallel=True)
def adjoint(projections, angles, spacings, out):
    """Add the back-projection of `projections` [v, z, u] to `out` [z, y, x]."""
    views, rows, columns = projections.shape
    ny, nx = out.shape[1], out.shape[2]
    for z in numba.prange(rows):
        image = out[z]
        turned = np.zeros((nx, ny), dtype=out.dtype)
        for v in range(views):
            along_y, weight, per_ray, per_step, offset = _crossing(
                angles[v], (ny, nx), (spacings[0], spacings[1], spacings[2], columns)
            )
            lines = image if along_y else turned
            steps, n = lines.shape
            ray = projections[v, z] * out.dtype.type(weight)
            for i in range(steps):
                line = lines[i]
                start = offset + per_step * i
                for k in range(columns):
                    position = start + per_ray * k
                    left = math.floor(position)
                    if 0 <= left < n - 1:
                        f = out.dtype.type(position - left)
                        j = int(left)
                        line[j] += (out.dtype.type(1) - f) * ray[k]
                        line[j + 1] += f * ray[k]
                    elif left == -1:
                        line[0] += out.dtype.type(position + 1) * ray[k]
                    elif left == n - 1:
                        line[n - 1] += out.dtype.type(n - position) * ray[k]
        for y in range(ny):
            for x in range(nx):
                image[y, x] += turned[x, y]


def sample_positions(
    angle: float,
    slice_shape: tuple[int, int],
    slice_spacing: tuple[float, float],
    columns: int,
    column_spacing: float,
) -> tuple[bool, float, ndarray]:
    """Where one view samples a slice, for implementations that gather instead of loop.

    Returns:
        Whether steps run along y; the length of a step in mm; the fractional index along the other axis,
        [steps, columns], float64.
    """
    spacings = (slice_spacing[0], slice_spacing[1], column_spacing, columns)
    along_y, weight, per_ray, per_step, offset = _crossing(angle, slice_shape, spacings)
    steps = slice_shape[0] if along_y else slice_shape[1]
    position = offset + per_step * np.arange(steps)[:, None] + per_ray * np.arange(columns)
    return bool(along_y), float(weight), position

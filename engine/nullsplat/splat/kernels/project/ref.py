"""gsplat's orthographic projection: its CUDA kernel on a GPU, its torch reference elsewhere. Defines the answer."""

import math

import torch
from gsplat import fully_fused_projection
from gsplat.cuda._torch_impl import _fully_fused_projection, _quat_scale_to_covar_preci
from jaxtyping import Float
from torch import Tensor

from nullsplat.physics.projection.beam import ParallelBeam

_EVERYWHERE = 1e10
"""No near or far plane: a line integral sees what lies behind the detector's middle as well."""


def project(
    means: Float[Tensor, "n 3"],
    log_scales: Float[Tensor, "n 3"],
    quats: Float[Tensor, "n 4"],
    density: Float[Tensor, " n"],
    beam: ParallelBeam,
) -> tuple[Float[Tensor, "v n 2"], Float[Tensor, "v n 3"], Float[Tensor, "v n"]]:
    """See `kernels.project.project`."""
    scales = torch.exp(log_scales)
    viewmats, intrinsics = cameras(beam, means)
    size = (beam.columns, beam.rows)
    planes = {"near_plane": -_EVERYWHERE, "far_plane": _EVERYWHERE}
    if means.is_cuda:
        radii, means2d, _, conics, _ = fully_fused_projection(
            means, None, quats, scales, viewmats, intrinsics, *size, eps2d=0.0, camera_model="ortho", **planes
        )
        # gsplat leaves the outputs of what misses the detector by more than 3.33 deviations unset.
        missed = (radii == 0).any(-1, keepdim=True)
        means2d, conics = means2d.masked_fill(missed, 0), conics.masked_fill(missed, 0)
    else:
        covariances, _ = _quat_scale_to_covar_preci(quats, scales, compute_covar=True, compute_preci=False)
        _, means2d, _, conics, _ = _fully_fused_projection(
            means, covariances, viewmats, intrinsics, *size, eps2d=0.0, camera_model="ortho", **planes
        )
    return means2d, conics, _line_integrals(density, scales, conics, beam)


def cameras(beam: ParallelBeam, like: Tensor) -> tuple[Float[Tensor, "v 4 4"], Float[Tensor, "v 3 3"]]:
    """World-to-camera matrices and intrinsics: camera x along u, y along z, depth along the ray."""
    angles = torch.tensor(beam.angles, dtype=like.dtype, device=like.device)
    c, s = torch.cos(angles), torch.sin(angles)
    viewmats = like.new_zeros(len(angles), 4, 4)
    viewmats[:, 0, 0], viewmats[:, 0, 1] = c, s
    viewmats[:, 1, 2] = 1
    viewmats[:, 2, 0], viewmats[:, 2, 1] = s, -c
    viewmats[:, 3, 3] = 1
    intrinsics = like.new_zeros(len(angles), 3, 3)
    intrinsics[:, 0, 0], intrinsics[:, 0, 2] = 1 / beam.column_spacing, (beam.columns - 1) / 2
    intrinsics[:, 1, 1], intrinsics[:, 1, 2] = 1 / beam.row_spacing, (beam.rows - 1) / 2
    intrinsics[:, 2, 2] = 1
    return viewmats, intrinsics


def _line_integrals(density: Tensor, scales: Tensor, conics: Tensor, beam: ParallelBeam) -> Tensor:
    a, b, c = conics.unbind(-1)
    pixel_area = beam.column_spacing * beam.row_spacing
    # |J S J^T| in mm^4 is pixel_area^2 over the determinant of the conic; a missed Gaussian's conic is zero.
    per_area = (a * c - b**2).clamp_min(torch.finfo(conics.dtype).tiny).sqrt() / pixel_area
    return density * math.sqrt(2 * math.pi) * scales.prod(-1) * per_area

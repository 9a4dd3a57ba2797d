"""A field and where it lies in the patient, so that it can be put on any grid later."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation
from torch import Tensor

from nullsplat.core.units import mu_to_hu_difference
from nullsplat.core.volume import Geometry
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.render import voxelise_field

_SAME = 1e-9
"""Turns and shifts (mm) below this are rounding: the field is then left as it is, bit for bit."""


@dataclass(frozen=True)
class PlacedField:
    """Signed Gaussians whose frame is that of a grid in the patient.

    Attributes:
        gaussians: (x, y, z) in mm from the centre of `grid`, along its x, y and z axes.
        grid: what they were fitted on.
    """

    gaussians: SignedGaussians
    grid: Geometry

    def seen_from(self, grid: Geometry) -> SignedGaussians:
        """The same Gaussians in the frame of another grid: turned and shifted, nothing else."""
        ours, theirs = _frame(self.grid), _frame(grid)
        turn = theirs.T @ ours
        shift = theirs.T @ np.subtract(self.grid.centre, grid.centre)
        if np.abs(turn - np.eye(3)).max() < _SAME and np.abs(shift).max() < _SAME:
            return self.gaussians
        # A Gaussian is its own mirror image through its centre, so -turn serves it as well where turn is no rotation.
        rotation = Rotation.from_matrix(turn * np.linalg.det(turn))
        field = self.gaussians
        means = field.means.double() @ field.means.new_tensor(turn, dtype=torch.float64).T
        means += means.new_tensor(shift)
        quaternion = field.quats.new_tensor(rotation.as_quat(scalar_first=True), dtype=torch.float64)
        quats = _product(quaternion, field.quats.double())
        return replace(field, means=means.to(field.means), quats=quats.to(field.quats))

    def on(self, grid: Geometry) -> Float[Tensor, "z y x"]:
        """The residual at the voxel centres of a grid, as a difference in HU."""
        return mu_to_hu_difference(voxelise_field(self.seen_from(grid), grid.shape, grid.spacing))


def _frame(grid: Geometry) -> Float[ndarray, "3 3"]:
    """The axes x, y, z as columns, exactly orthonormal: headers give them to a few digits only."""
    left, _, right = np.linalg.svd(np.asarray(grid.axes[::-1]).T)
    frame: ndarray = left @ right
    return frame


def _product(p: Float[Tensor, "4"], q: Float[Tensor, "n 4"]) -> Float[Tensor, "n 4"]:
    """Hamilton's product p q of quaternions wxyz: first the turn q, then p."""
    w, v = p[0], p[1:].expand(len(q), 3)
    scalar = w * q[:, 0] - (v * q[:, 1:]).sum(-1)
    vector = w * q[:, 1:] + q[:, :1] * v + torch.linalg.cross(v, q[:, 1:])
    return torch.cat([scalar[:, None], vector], -1)

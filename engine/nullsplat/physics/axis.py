"""The degradation along one axis: a point-spread function, then sampling, as a small dense matrix with its SVD."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import GeometryError
from nullsplat.physics.point_spread import PointSpread, degradation_matrix

RANK_TOLERANCE = 1e-3
"""Singular values below this fraction of the largest count as zero: their inverse would only amplify rounding."""


@dataclass(frozen=True, eq=False)
class AxisOperator:
    """One axis of a separable degradation, with its exact singular value decomposition.

    Attributes:
        n_lr: low-resolution samples.
        n_hr: high-resolution voxels.
        psf: point-spread function; not used where `n_lr == n_hr`, because such an axis is left alone.
    """

    n_lr: int
    n_hr: int
    psf: PointSpread
    _cast: dict[tuple[str, torch.dtype, torch.device], Tensor] = field(default_factory=dict, repr=False)

    @property
    def is_identity(self) -> bool:
        """Whether the axis is left alone."""
        return self.n_lr == self.n_hr

    @property
    def scale(self) -> float:
        """Voxels per sample."""
        return self.n_hr / self.n_lr

    @cached_property
    def _float64(self) -> dict[str, Tensor]:
        """All matrices in double precision: the operator, its pseudo-inverse and its thin SVD."""
        matrix = degradation_matrix(self.n_lr, self.n_hr, self.psf)
        u, s, vt = np.linalg.svd(matrix, full_matrices=False)
        rank = int(np.count_nonzero(s > RANK_TOLERANCE * s[0]))
        u, s, v = u[:, :rank], s[:rank], vt[:rank].T
        arrays = {"matrix": matrix, "pinv": (v / s) @ u.T, "u": u, "s": s, "v": v}
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}

    def factor(
        self, name: Literal["matrix", "pinv", "u", "s", "v"], like: Float[Tensor, "*shape"]
    ) -> Float[Tensor, "*matrix"]:
        """One of the matrices with the data type and on the device of `like`.

        Args:
            name: `matrix` [lr, hr], `pinv` [hr, lr], or of the thin SVD `u` [lr, rank], `s` [rank], `v` [hr, rank].
            like: the tensor that will be multiplied.
        """
        key = (name, like.dtype, like.device)
        if key not in self._cast:
            self._cast[key] = self._float64[name].to(like.device, like.dtype)
        return self._cast[key]


@lru_cache(maxsize=64)
def axis_operator(n_lr: int, n_hr: int, psf: PointSpread) -> AxisOperator:
    """The operator of one axis; equal arguments share one decomposition.

    Raises:
        GeometryError: fewer voxels than samples, or none.
    """
    if not 1 <= n_lr <= n_hr:
        raise GeometryError(f"an axis needs 1 <= low-resolution samples <= voxels, got {n_lr} and {n_hr}")
    return AxisOperator(n_lr, n_hr, psf)

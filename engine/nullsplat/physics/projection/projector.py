"""Parallel-beam projection of a volume and its exact transpose."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import GeometryError
from nullsplat.core.progress import Progress, silent
from nullsplat.physics.linear import LinearOperator
from nullsplat.physics.projection import joseph
from nullsplat.physics.projection.beam import ParallelBeam


class Projector(LinearOperator):
    """Line integrals of attenuation (1/mm) along the views of a beam; unitless.

    It acts slice by slice in the axial plane, so it commutes with every operator along z.
    CPU tensors run through numba, GPU tensors through gathers with the same weights.
    """

    def __init__(
        self, beam: ParallelBeam, shape: tuple[int, int, int], spacing: tuple[float, float, float]
    ) -> None:
        """Bind a beam to a grid.

        Args:
            beam: views and detector; one detector row per slice.
            shape: voxels along (z, y, x).
            spacing: mm along (z, y, x).

        Raises:
            GeometryError: the detector's rows are not the grid's slices.
        """
        if beam.rows != shape[0] or not math.isclose(beam.row_spacing, spacing[0], rel_tol=1e-6):
            raise GeometryError(
                f"a parallel beam about z needs one detector row per slice: the grid has {shape[0]} slices of "
                f"{spacing[0]} mm, the beam {beam.rows} rows of {beam.row_spacing} mm; build it with physics.beam_for"
            )
        self.beam, self.shape, self.spacing = beam, shape, spacing

    @property
    def domain_shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x)."""
        return self.shape

    @property
    def range_shape(self) -> tuple[int, int, int]:
        """(views, rows, columns)."""
        return self.beam.shape

    def forward(self, volume: Float[Tensor, "z y x"], progress: Progress = silent) -> Float[Tensor, "v z u"]:
        """Project a volume.

        Raises:
            GeometryError: the volume is not on the grid.
        """
        self._check(tuple(volume.shape), self.shape, "volume")
        out = volume.new_zeros(self.beam.shape)
        for v, angle in enumerate(self.beam.angles):
            if volume.is_cuda:
                out[v] = self._gather(volume, angle)
            else:
                joseph.forward(volume.numpy(), np.array([angle]), self._spacings, out[v : v + 1].numpy())
            progress((v + 1) / len(self.beam.angles))
        return out

    def adjoint(self, projections: Float[Tensor, "v z u"]) -> Float[Tensor, "z y x"]:
        """Back-project: the transpose of `forward`.

        Raises:
            GeometryError: the projections are not the beam's.
        """
        self._check(tuple(projections.shape), self.beam.shape, "projections")
        out = projections.new_zeros(self.shape)
        if not projections.is_cuda:
            joseph.adjoint(projections.numpy(), np.array(self.beam.angles), self._spacings, out.numpy())
            return out
        for v, angle in enumerate(self.beam.angles):
            self._scatter(projections[v], angle, out)
        return out

    @property
    def _spacings(self) -> tuple[float, float, float]:
        return self.spacing[1], self.spacing[2], self.beam.column_spacing

    def _taps(self, angle: float, device: torch.device) -> tuple[bool, float, list[tuple[Tensor, Tensor]]]:
        """For one view: stepping axis, step length, and two (index, weight) pairs [steps, columns]."""
        along_y, length, position = joseph.sample_positions(
            angle, self.shape[1:], self.spacing[1:], self.beam.columns, self.beam.column_spacing
        )
        n = self.shape[2] if along_y else self.shape[1]
        left = np.floor(position)
        taps = []
        for index, weight in ((left, 1 - (position - left)), (left + 1, position - left)):
            inside = (index >= 0) & (index < n)
            taps.append(
                (
                    torch.from_numpy(index.clip(0, n - 1)).long().to(device),
                    torch.from_numpy(weight * inside).to(device),
                )
            )
        return along_y, length, taps

    def _gather(self, volume: Tensor, angle: float) -> Tensor:
        along_y, length, taps = self._taps(angle, volume.device)
        lines = volume if along_y else volume.transpose(1, 2)
        total = volume.new_zeros(self.shape[0], self.beam.columns)
        for index, weight in taps:
            picked = torch.gather(lines, 2, index.expand(self.shape[0], -1, -1))
            total += (picked * weight.to(volume.dtype)).sum(1)
        return total * length

    def _scatter(self, view: Tensor, angle: float, out: Tensor) -> None:
        along_y, length, taps = self._taps(angle, view.device)
        lines = out if along_y else out.transpose(1, 2)
        for index, weight in taps:
            spread = (view * length)[:, None, :] * weight.to(view.dtype)
            lines.scatter_add_(2, index.expand(self.shape[0], -1, -1), spread)

    @staticmethod
    def _check(got: tuple[int, ...], needed: tuple[int, ...], what: str) -> None:
        if got != needed:
            raise GeometryError(f"{what} must have shape {needed}, got {got}")

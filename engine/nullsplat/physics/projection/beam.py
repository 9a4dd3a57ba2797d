"""Geometry of the parallel beam about the patient's long axis, apart from the operator that uses it."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import GeometryError


@dataclass(frozen=True)
class ParallelBeam:
    """Views over [0, pi) and the detector they are seen on.

    The frame is the volume's own: its centre is the origin, x and y grow with the column and row index,
    z with the slice index, all in mm. A view at angle t sees the point (x, y, z) at column coordinate
    u = x cos t + y sin t and row coordinate z; the ray runs along (-sin t, cos t, 0).

    Attributes:
        angles: view angles in radians.
        rows: detector rows; row j lies at z = (j - (rows - 1) / 2) row_spacing.
        columns: detector columns; column k lies at u = (k - (columns - 1) / 2) column_spacing.
        row_spacing: mm.
        column_spacing: mm.
    """

    angles: tuple[float, ...]
    rows: int
    columns: int
    row_spacing: float
    column_spacing: float

    def __post_init__(self) -> None:
        """Refuse an empty or degenerate beam.

        Raises:
            GeometryError: no view, no detector, or a spacing that is not positive.
        """
        if (
            not self.angles
            or min(self.rows, self.columns) < 1
            or min(self.row_spacing, self.column_spacing) <= 0
        ):
            raise GeometryError(f"a beam needs views, detector pixels and positive spacings, got {self}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(views, rows, columns)."""
        return len(self.angles), self.rows, self.columns

    @property
    def column_positions(self) -> Float[ndarray, " u"]:
        """Column coordinates u in mm."""
        return (np.arange(self.columns) - (self.columns - 1) / 2) * self.column_spacing

    @property
    def row_positions(self) -> Float[ndarray, " z"]:
        """Row coordinates z in mm."""
        return (np.arange(self.rows) - (self.rows - 1) / 2) * self.row_spacing

    def views(self, index: slice) -> "ParallelBeam":
        """The same detector with some of the views."""
        return replace(self, angles=self.angles[index])


def beam_for(shape: tuple[int, int, int], spacing: tuple[float, float, float], views: int) -> ParallelBeam:
    """The beam that sees a whole grid: its detector spans the diagonal of the slice at the finer in-plane spacing.

    Args:
        shape: voxels along (z, y, x).
        spacing: mm along (z, y, x).
        views: equally spaced over [0, pi).
    """
    column_spacing = min(spacing[1], spacing[2])
    diagonal = float(np.hypot(shape[1] * spacing[1], shape[2] * spacing[2]))
    columns = 4 * int(np.ceil(diagonal / column_spacing / 4))
    angles = tuple(float(a) for a in np.arange(views) * np.pi / views)
    return ParallelBeam(angles, shape[0], columns, spacing[0], column_spacing)

"""A thick and a thin reconstruction of one scan: what of them can be compared, and where it lies.

No simulation is involved: the thick series is what the method gets, the thin one is the truth.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import ndimage

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Axes3, Geometry, Volume
from nullsplat.dicom.headers import text
from nullsplat.dicom.read.series import read_folder
from nullsplat.evaluation.data.subject import read_subject
from nullsplat.physics.profile import Resolution

_PARALLEL = 1e-3  # of a direction cosine
_SAME_PIXEL = 1e-3  # of a pixel's size
_SAME_PLACE = 0.05  # of a pixel or a slice: what counts as the same position
_LEAST_FACTOR = 1.2
_FEWEST_SLICES = 3


@dataclass(frozen=True)
class Side:
    """One of the two series.

    Attributes:
        name: of the file or folder.
        volume: HU.
        resolution: what the header tells of its slices; of a file, that they are as thick as far apart.
        frame_of_reference: of a DICOM series; empty where it is not known.
    """

    name: str
    volume: Volume
    resolution: Resolution
    frame_of_reference: str = ""


@dataclass(frozen=True)
class Pair:
    """Two series on the pixels that both have.

    Attributes:
        thick: what methods get.
        thin: the truth, its slices within the extent of the thick ones.
        scale: factors along (z, y, x) from the one to the other.
    """

    thick: Volume
    thin: Volume
    scale: Axes3

    @property
    def offsets(self) -> Float[ndarray, " thin"]:
        """Where the thin slices lie among the wanted ones, as fractional indices."""
        wanted = self.thick.geometry.resampled(self.wanted_shape)
        normal = np.asarray(self.thick.geometry.axes[0])
        start = float(np.subtract(self.thin.geometry.origin, wanted.origin) @ normal)
        step = self.thin.geometry.spacing[0]
        offsets: ndarray = (start + step * np.arange(len(self.thin.hu))) / wanted.spacing[0]
        return offsets

    @property
    def wanted_shape(self) -> tuple[int, int, int]:
        """Voxels that methods are asked for."""
        slices, rows, columns = self.thick.hu.shape
        return round(slices * self.scale[0]), rows, columns

    def at_thin_slices(self, result: Float[ndarray, "z y x"]) -> Float[ndarray, "thin y x"]:
        """A result where the thin slices lie: its own slices, or between them by a cubic spline."""
        at = self.offsets
        if np.abs(at - np.rint(at)).max() < _SAME_PLACE:
            return np.ascontiguousarray(result[np.rint(at).astype(int)])
        spline = ndimage.spline_filter1d(result, order=3, axis=0, mode="nearest", output=np.float32)
        rows, columns = (np.arange(n) for n in result.shape[1:])
        grid = np.meshgrid(at, rows, columns, indexing="ij")
        between: ndarray = ndimage.map_coordinates(spline, grid, order=3, mode="nearest", prefilter=False)
        return between.astype(np.float32)


def read_side(path: Path, slice_thickness_mm: float | None = None) -> Side:
    """One series of a pair: a DICOM folder, a NIfTI or an NRRD file.

    Args:
        path: of the series.
        slice_thickness_mm: of a file, which does not tell it.
    Raises:
        UnreadableFile, GeometryError, IneligibleSeries: as `read_subject`.
    """
    if path.is_dir():
        source = read_folder(path)
        frame = text(source.headers[0], "FrameOfReferenceUID")
        return Side(path.resolve().name, source.volume, Resolution.of(source.volume), frame)
    subject = read_subject(path)
    volume = replace(subject.volume, slice_thickness=slice_thickness_mm)
    return Side(subject.name, volume, Resolution.of(volume))


def align(thick: Side, thin: Side) -> Pair:
    """Lay two series over each other by their coordinates.

    Raises:
        GeometryError: they are not two reconstructions of one place in planes, pixels and positions that fit.
    """
    _check_comparable(thick, thin)
    shift = _pixel_shift(thick.volume.geometry, thin.volume.geometry)
    rows, columns = (
        (max(0, step), min(n, m + step))
        for step, n, m in zip(shift, thick.volume.hu.shape[1:], thin.volume.hu.shape[1:], strict=True)
    )
    if rows[0] >= rows[1] or columns[0] >= columns[1]:
        raise GeometryError(
            "the two series must overlap, they have no pixel in common; choose two series of the same scan"
        )
    ours = _part(thick.volume, slice(None), slice(*rows), slice(*columns))
    other_rows, other_columns = (
        slice(rows[0] - shift[0], rows[1] - shift[0]),
        slice(columns[0] - shift[1], columns[1] - shift[1]),
    )
    theirs = _part(thin.volume, _covered(ours.geometry, thin.volume.geometry), other_rows, other_columns)
    factor = ours.geometry.spacing[0] / theirs.geometry.spacing[0]
    return Pair(ours, theirs, (float(f"{factor:.6g}"), 1.0, 1.0))


def _check_comparable(thick: Side, thin: Side) -> None:
    a, b = thick.volume.geometry, thin.volume.geometry
    if thick.frame_of_reference and thin.frame_of_reference not in ("", thick.frame_of_reference):
        raise GeometryError(
            "THICK and THIN must lie in one frame of reference, theirs differ: they are two scans; "
            "choose two reconstructions of one"
        )
    if np.abs(np.subtract(a.axes, b.axes)).max() > _PARALLEL:
        raise GeometryError(
            "THICK and THIN must have the same orientation, theirs differ; choose parallel series"
        )
    if np.abs(np.divide(a.spacing[1:], b.spacing[1:]) - 1).max() > _SAME_PIXEL:
        raise GeometryError(
            f"THICK and THIN must have the same pixel spacing, got {a.spacing[1]:g} x {a.spacing[2]:g} mm and "
            f"{b.spacing[1]:g} x {b.spacing[2]:g} mm; reconstruct both with one field of view"
        )
    if a.spacing[0] < _LEAST_FACTOR * b.spacing[0]:
        raise GeometryError(
            f"THICK must have slices further apart than THIN, got {a.spacing[0]:g} and {b.spacing[0]:g} mm; "
            "the order is THICK THIN"
        )


def _pixel_shift(thick: Geometry, thin: Geometry) -> tuple[int, int]:
    """By how many rows and columns the thin series begins later."""
    offset = np.asarray(thick.axes) @ np.subtract(thin.origin, thick.origin)
    shift = offset[1:] / thick.spacing[1:]
    if np.abs(shift - np.rint(shift)).max() > _SAME_PLACE:
        raise GeometryError(
            f"the pixels of THICK and THIN must lie in the same places, they are {shift[0]:.2f} rows and "
            f"{shift[1]:.2f} columns apart; reconstruct both with one centre"
        )
    return round(float(shift[0])), round(float(shift[1]))


def _covered(thick: Geometry, thin: Geometry) -> slice:
    """The thin slices within the extent of the thick ones."""
    start = float(np.subtract(thin.origin, thick.origin) @ np.asarray(thick.axes[0]))
    along = start + thin.spacing[0] * np.arange(thin.shape[0])
    half = (thick.spacing[0] - thin.spacing[0]) / 2 + _SAME_PLACE * thin.spacing[0]
    inside = np.flatnonzero((along >= -half) & (along <= (thick.shape[0] - 1) * thick.spacing[0] + half))
    if len(inside) < _FEWEST_SLICES:
        raise GeometryError(
            f"THICK and THIN must overlap by at least {_FEWEST_SLICES} thin slices, {len(inside)} of "
            f"{thin.shape[0]} lie within THICK; choose series of one scan"
        )
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _part(volume: Volume, slices: slice, rows: slice, columns: slice) -> Volume:
    hu = np.ascontiguousarray(volume.hu[slices, rows, columns])
    first = (float(slices.start or 0), float(rows.start or 0), float(columns.start or 0))
    nz, ny, nx = hu.shape
    geometry = replace(volume.geometry, shape=(nz, ny, nx), origin=volume.geometry.position(first))
    return Volume(hu, geometry)

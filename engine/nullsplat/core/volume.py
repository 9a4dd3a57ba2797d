"""A CT volume and where it lies in the patient."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import GeometryError

Axes3 = tuple[float, float, float]
_ROUNDING = 1e-6
"""Of a voxel: an extent that is a whole number of voxels needs no voxel more."""
AXIAL = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


@dataclass(frozen=True)
class Geometry:
    """A regular voxel grid in patient coordinates (LPS, millimetres).

    Attributes:
        shape: voxels along (z, y, x), that is (slices, rows, columns).
        spacing: distance of voxel centres along (z, y, x) in mm.
        origin: LPS position of the centre of voxel [0, 0, 0] in mm.
        axes: LPS unit vectors along increasing z, y and x index.
    """

    shape: tuple[int, int, int]
    spacing: Axes3
    origin: Axes3 = (0.0, 0.0, 0.0)
    axes: tuple[Axes3, Axes3, Axes3] = field(default=AXIAL)

    def __post_init__(self) -> None:
        """Refuse what is not a grid.

        Raises:
            GeometryError: not three axes, a size below 1, a spacing that is not positive, or axes that are not
                orthonormal.
        """
        for name, values in (("shape", self.shape), ("spacing", self.spacing), ("origin", self.origin)):
            if np.shape(values) != (3,):
                raise GeometryError(f"{name} must be three numbers, one for each axis, got {values!r}")
        if min(self.shape) < 1:
            raise GeometryError(f"a volume needs at least one voxel along each axis, got shape {self.shape}")
        if not all(np.isfinite(self.spacing)) or min(self.spacing) <= 0:
            raise GeometryError(f"voxel spacing must be positive and finite, got {self.spacing} mm")
        axes = np.asarray(self.axes)
        if not np.allclose(axes @ axes.T, np.eye(3), atol=1e-3):
            raise GeometryError(f"the axes must be three orthogonal unit vectors, got {self.axes}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Geometry":
        """What `to_dict` gave, before or after JSON; other keys are left alone.

        Raises:
            KeyError: a value is missing.
            TypeError, ValueError: a value is of another kind.
            GeometryError: they describe no grid.
        """
        nz, ny, nx = (int(n) for n in stored["shape"])
        along_z, along_y, along_x = (_three(axis) for axis in stored["axes"])
        return cls(
            (nz, ny, nx), _three(stored["spacing"]), _three(stored["origin"]), (along_z, along_y, along_x)
        )

    @property
    def affine(self) -> Float[ndarray, "4 4"]:
        """Matrix that takes a voxel index (z, y, x, 1) to LPS millimetres (x, y, z, 1)."""
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(self.axes).T * np.asarray(self.spacing)
        affine[:3, 3] = self.origin
        return affine

    def position(self, index: Axes3) -> Axes3:
        """LPS position in mm of a (possibly fractional) voxel index (z, y, x)."""
        x, y, z, _ = self.affine @ (*index, 1.0)
        return float(x), float(y), float(z)

    @property
    def centre(self) -> Axes3:
        """LPS position in mm of the middle of the grid."""
        z, y, x = ((size - 1) / 2 for size in self.shape)
        return self.position((z, y, x))

    def resampled(self, shape: tuple[int, int, int]) -> "Geometry":
        """The grid with another number of voxels over the same physical extent and centre."""
        ratio = np.asarray(self.shape) / np.asarray(shape)
        spacing = np.asarray(self.spacing) * ratio
        first_centre = (ratio - 1) / 2
        z, y, x = (float(i) for i in first_centre)
        sz, sy, sx = (float(s) for s in spacing)
        return replace(self, shape=shape, spacing=(sz, sy, sx), origin=self.position((z, y, x)))

    def with_spacing(self, spacing: Axes3) -> "Geometry":
        """The smallest grid of this spacing about the same centre that covers the same extent; mm along (z, y, x)."""
        if not min(spacing) > 0:
            raise GeometryError(f"voxel spacing must be positive, got {spacing} mm")
        extent = np.multiply(self.shape, self.spacing)
        nz, ny, nx = (int(n) for n in np.ceil(extent / np.asarray(spacing) - _ROUNDING))
        moved = replace(self, shape=(nz, ny, nx), spacing=spacing, origin=(0.0, 0.0, 0.0))
        x, y, z = np.subtract(self.centre, moved.centre).tolist()
        return replace(moved, origin=(x, y, z))


@dataclass(frozen=True)
class Volume:
    """A CT volume in Hounsfield units.

    Attributes:
        hu: voxels as float32, [z, y, x], in HU; all finite.
        geometry: where the voxels lie.
        slice_thickness: nominal thickness of a slice in mm; None where nothing is known, and slices then count as
            thick as they are apart.
        slice_profile: how sensitivity varies across a slice, in the words of `physics.profile.GRAMMAR`.
        profile_evidence: why that profile, in a few words without patient data.
    """

    hu: Float[ndarray, "z y x"]
    geometry: Geometry
    slice_thickness: float | None = None
    slice_profile: str = "bell"
    profile_evidence: str = "assumed"

    def __post_init__(self) -> None:
        """Refuse what no later step could repair.

        Raises:
            GeometryError: no array, no geometry, the two disagree, a voxel is NaN or infinite, or the slices have no
                thickness.
        """
        if not isinstance(self.hu, ndarray) or not isinstance(self.geometry, Geometry):
            got = f"{type(self.hu).__name__} and {type(self.geometry).__name__}"
            raise GeometryError(f"a volume needs a NumPy array [z, y, x] and a Geometry, got {got}")
        if self.slice_thickness is not None and not 0 < self.slice_thickness < np.inf:
            raise GeometryError(f"slice thickness must be above 0 mm and finite, got {self.slice_thickness}")
        if self.hu.shape != self.geometry.shape:
            raise GeometryError(
                f"the geometry describes {self.geometry.shape} voxels, the array has {self.hu.shape}"
            )
        if self.hu.dtype != np.float32:
            raise GeometryError(
                f"voxels must be float32, got {self.hu.dtype}; convert with .astype(numpy.float32)"
            )
        if not np.isfinite(self.hu).all():
            bad = int(np.count_nonzero(~np.isfinite(self.hu)))
            raise GeometryError(f"all voxels must be finite, {bad} of {self.hu.size} are NaN or infinite")


def _three(values: Iterable[Any]) -> Axes3:
    a, b, c = (float(value) for value in values)
    return a, b, c

"""NIfTI files of CT volumes in Hounsfield units.

NIfTI counts patient coordinates towards right, anterior and superior (RAS) and stores arrays as [x, y, z] in any
order and direction; a `Volume` counts towards left, posterior and superior (LPS) and is [z, y, x]. Reading brings
every file into the orientation of axial slices: x grows to the left, y to the back and z, the slice axis, to the
head, as near as the file's own axes allow; voxels are reordered, never interpolated.
Source: NIfTI-1 (nifti1.h), "3D image (volume) orientation and location in space".
"""

# mypy: disallow-untyped-calls=False
# (nibabel annotates only a part of what it exports)

import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Float
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import OrientationError, axcodes2ornt, io_orientation, ornt_transform
from nibabel.spatialimages import HeaderDataError, SpatialImage
from numpy import ndarray

from nullsplat.core.errors import GeometryError, UnreadableFile
from nullsplat.core.files import make_folder, replacing
from nullsplat.core.units import HIGHEST_HU, LOWEST_HU
from nullsplat.core.volume import Axes3, Geometry, Volume

SUFFIXES = (".nii", ".nii.gz")

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_DECIMALS = 5
"""Headers hold float32: digits beyond 1e-5 mm are noise of the representation."""


def is_nifti(path: Path) -> bool:
    """Whether the name is that of a NIfTI file."""
    return path.name.lower().endswith(SUFFIXES)


def read_nifti(path: Path) -> Volume:
    """Read a CT volume; values below -1024 HU, which mark what lies outside the field of view, become -1024.

    Raises:
        UnreadableFile: missing, truncated or no NIfTI file.
        GeometryError: not three-dimensional, not in mm, no affine or a sheared or singular one, values that are no finite
            numbers or no HU.
    """
    try:
        image = _load(path)
        return volume_of(image, path.name)
    except FileNotFoundError as error:
        raise UnreadableFile(f"{path.name} does not exist") from error
    except (OSError, EOFError, zlib.error, ValueError, ImageFileError, HeaderDataError) as error:
        raise UnreadableFile(f"{path.name} is not a NIfTI file, or it is truncated or damaged") from error


def write_nifti(volume: Volume, path: Path) -> None:
    """Write HU as float32 [x, y, z]; the name appears only when the file is complete.

    Raises:
        UnreadableFile: the name ends neither in .nii nor in .nii.gz.
        StorageError: the file cannot be written.
    """
    if not is_nifti(path):
        raise UnreadableFile(f"a NIfTI file must end in {' or '.join(SUFFIXES)}, got {path.name}")
    image = nib.Nifti1Image(volume.hu.transpose(2, 1, 0), ras_affine(volume.geometry))
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, code="scanner")
    image.set_qform(image.affine, code="scanner")
    make_folder(path.parent)
    with replacing(path) as partial:
        nib.save(image, partial)


def ras_affine(geometry: Geometry) -> Float[ndarray, "4 4"]:
    """The NIfTI affine: voxel index (x, y, z, 1) to RAS millimetres."""
    affine = _LPS_FROM_RAS @ geometry.affine
    affine[:, :3] = affine[:, 2::-1]
    return np.asarray(affine, np.float64)


def geometry_of(affine: Float[ndarray, "4 4"], shape: tuple[int, int, int]) -> Geometry:
    """The grid of a NIfTI affine that is in axial orientation already.

    Args:
        affine: voxel index (x, y, z, 1) to RAS millimetres.
        shape: voxels along (z, y, x).
    Raises:
        GeometryError: the axes are not orthogonal.
    """
    lps = _LPS_FROM_RAS @ affine
    columns = lps[:3, 2::-1]
    spacing = np.linalg.norm(columns, axis=0)
    axes = columns / spacing
    return Geometry(
        shape=shape,
        spacing=_rounded(spacing),
        origin=_rounded(lps[:3, 3]),
        axes=(_unit(axes[:, 0]), _unit(axes[:, 1]), _unit(axes[:, 2])),
    )


def _load(path: Path) -> SpatialImage:
    if path.is_dir():
        raise UnreadableFile(f"a NIfTI file was needed, {path.name} is a folder")
    image = nib.load(path)
    if not isinstance(image, nib.Nifti1Pair):  # also the class of NIfTI-2
        raise UnreadableFile(f"a NIfTI file was needed, {path.name} is of another format")
    unit = image.header.get_xyzt_units()[0]
    if unit not in ("mm", "unknown"):
        raise GeometryError(f"{path.name} must give lengths in mm, its header says {unit}; convert it first")
    if not image.header["sform_code"] and not image.header["qform_code"]:
        raise GeometryError(
            f"{path.name} must say where its voxels lie, neither its sform nor its qform does; write it with an affine"
        )
    return image


def volume_of(image: SpatialImage, name: str) -> Volume:
    """The CT volume that an image in RAS coordinates holds, in axial orientation and not below -1024 HU.

    Args:
        image: HU as [x, y, z] in any order and direction, with its affine.
        name: for messages.
    Raises:
        GeometryError: as `read_nifti`.
    """
    image = _three_dimensional(image, name)
    if image.get_data_dtype().kind not in "iuf":
        raise GeometryError(f"{name} must hold real numbers in HU, got {image.get_data_dtype()}")
    image = _axial(image, name)
    hu = np.ascontiguousarray(image.get_fdata(dtype=np.float32, caching="unchanged").transpose(2, 1, 0))
    depth, height, width = hu.shape
    geometry = geometry_of(image.affine, (depth, height, width))
    volume = Volume(np.maximum(hu, np.float32(LOWEST_HU)), geometry)
    if volume.hu.max() > HIGHEST_HU:
        raise GeometryError(
            f"{name} must hold values in HU up to {HIGHEST_HU:g}, it holds {volume.hu.max():.6g}; if these mark what lies "
            "outside the field of view, make them -1024"
        )
    return volume


def _three_dimensional(image: SpatialImage, name: str) -> SpatialImage:
    """Drop trailing axes of one entry, with which some programs write volumes."""
    shape = image.shape
    if len(shape) < 3 or min(shape[:3]) < 2 or any(size != 1 for size in shape[3:]):
        raise GeometryError(
            f"{name} must hold one three-dimensional volume, got an array of shape {shape}; extract one"
        )
    return image if len(shape) == 3 else nib.funcs.squeeze_image(image)


def _axial(image: SpatialImage, name: str) -> SpatialImage:
    """Reorder and flip the axes so that they point to left, posterior and superior."""
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine[:3, :3])) < 1e-12:
        raise GeometryError(f"{name} must say where its voxels lie, its affine is not invertible")
    try:
        turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(("L", "P", "S")))
        return image.as_reoriented(turn)
    except OrientationError as error:
        raise GeometryError(f"{name} has an affine without a nearest anatomical orientation") from error


def _unit(vector: Float[ndarray, "3"]) -> Axes3:
    x, y, z = (round(float(value), 7) + 0.0 for value in vector)
    return x, y, z


def _rounded(vector: Float[ndarray, "3"]) -> Axes3:
    a, b, c = (round(float(value), _DECIMALS) + 0.0 for value in vector)
    return a, b, c

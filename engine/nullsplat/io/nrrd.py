"""NRRD files of CT volumes in Hounsfield units, with the data in the same file.

Source: "Definition of NRRD File Format", teem.sourceforge.net/nrrd/format.html.
"""

# mypy: disallow-untyped-calls=False
# (nibabel annotates only a part of what it exports)

import re
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import GeometryError, UnreadableFile
from nullsplat.core.volume import Volume
from nullsplat.io.nifti import volume_of

SUFFIX = ".nrrd"

_TYPES = {
    "int8": ("signed char", "int8", "int8_t"),
    "uint8": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "int16": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "uint16": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "int32": ("int", "signed int", "int32", "int32_t"),
    "uint32": ("uint", "unsigned int", "uint32", "uint32_t"),
    "float32": ("float",),
    "float64": ("double",),
}
_TO_RAS = {
    "left-posterior-superior": (-1.0, -1.0, 1.0),
    "lps": (-1.0, -1.0, 1.0),
    "right-anterior-superior": (1.0, 1.0, 1.0),
    "ras": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0),
    "las": (-1.0, 1.0, 1.0),
}
_ENCODINGS = ("raw", "gzip", "gz")
_ELSEWHERE = ("data file", "datafile", "byte skip", "byteskip", "line skip", "lineskip")
"""Fields by which the data lie in another file, or later in this one."""
_WITHIN_GZIP = 32 + zlib.MAX_WBITS  # zlib: recognise gzip's header


def is_nrrd(path: Path) -> bool:
    """Whether the name is that of an NRRD file with attached data."""
    return path.name.lower().endswith(SUFFIX)


def read_nrrd(path: Path) -> Volume:
    """Read a CT volume into axial orientation, as `io.nifti.read_nifti` does.

    Raises:
        UnreadableFile: missing, truncated, no NRRD file, or of a kind that is not read (detached data, encodings
            other than raw and gzip, data that begin elsewhere than after the header).
        GeometryError: it does not say where its voxels lie, not in mm, or is not three-dimensional; values that are no HU.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{path.name} cannot be read: {error.strerror}") from error
    parts = re.split(rb"\r?\n\r?\n", content, maxsplit=1)
    if not content.startswith(b"NRRD") or len(parts) < 2:
        raise UnreadableFile(f"{path.name} must be an NRRD file with a header and data, it is not")
    fields, data = _fields(parts[0].decode("latin-1")), parts[1]
    _check_units(fields, path.name)
    voxels = _voxels(fields, data, path.name)
    return volume_of(nib.Nifti1Image(voxels, _ras_affine(fields, path.name)), path.name)


def _fields(head: str) -> dict[str, str]:
    """The lines `field: value`, with the field's name in lower case; comments and key/value pairs are left out."""
    lines = (line.rstrip("\r") for line in head.split("\n")[1:])
    pairs = (re.match(r"([^#:][^:]*): (.*)", line) for line in lines)
    return {pair[1].strip().lower(): pair[2].strip() for pair in pairs if pair}


def _check_units(fields: dict[str, str], name: str) -> None:
    units = set(re.findall(r'"([^"]*)"', fields.get("space units", ""))) - {"", "mm"}
    if units:
        raise GeometryError(
            f"{name} must give lengths in mm, its header says {', '.join(sorted(units))}; convert it first"
        )


def _voxels(fields: dict[str, str], data: bytes, name: str) -> Float[ndarray, "x y z"]:
    encoding = fields.get("encoding", "").lower()
    elsewhere = [field for field in _ELSEWHERE if fields.get(field, "0") != "0"]
    if encoding not in _ENCODINGS or elsewhere:
        raise UnreadableFile(
            f"{name} must hold its data right after its header, encoded as raw or gzip, got encoding {encoding!r}"
            f"{''.join(f', {field}' for field in elsewhere)}; convert it to NIfTI"
        )
    dtype = _dtype(fields, name)
    try:
        shape = tuple(int(size) for size in fields.get("sizes", "").split())
        if min(shape, default=0) < 1:
            raise ValueError(f"sizes {shape}")
        plain = data if encoding == "raw" else zlib.decompress(data, _WITHIN_GZIP)
        voxels = np.frombuffer(plain, dtype, count=int(np.prod(shape)))
    except (ValueError, zlib.error) as error:
        raise UnreadableFile(f"{name} is truncated or damaged: {error}") from error
    return voxels.reshape(shape, order="F").astype(np.float32)


def _dtype(fields: dict[str, str], name: str) -> np.dtype:
    asked = fields.get("type", "").lower()
    for plain, names in _TYPES.items():
        if asked in names:
            big = fields.get("endian", "little").lower() == "big"
            return np.dtype(plain).newbyteorder(">" if big else "<")
    raise UnreadableFile(f"{name} must hold numbers of 8 to 32 bits, got type {asked!r}; convert it to NIfTI")


def _ras_affine(fields: dict[str, str], name: str) -> Float[ndarray, "4 4"]:
    """Voxel index (x, y, z, 1) to RAS millimetres."""
    turn = _TO_RAS.get(fields.get("space", "").lower())
    directions = _vectors(fields.get("space directions", ""))
    origin = _vectors(fields.get("space origin", ""))
    if turn is None or len(directions) != 3 or len(origin) != 1:
        raise GeometryError(
            f"{name} must name its space (left-posterior-superior or the like), three space directions and an "
            "origin, it does not; convert it to NIfTI"
        )
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(directions).T
    affine[:3, 3] = origin[0]
    return np.asarray(np.diag([*turn, 1.0]) @ affine, np.float64)


def _vectors(text: str) -> list[tuple[float, float, float]]:
    """The vectors in `(x,y,z) (x,y,z)`; those that are not three numbers are left out."""
    vectors = []
    for inside in re.findall(r"\(([^)]*)\)", text):
        try:
            x, y, z = (float(number) for number in inside.split(","))
        except ValueError:
            continue
        vectors.append((x, y, z))
    return vectors

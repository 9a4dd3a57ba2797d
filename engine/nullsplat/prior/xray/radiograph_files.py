"""Radiographs as 8-bit images: PNG and JPEG as they are displayed, DICOM (CR, DX) through its display steps."""

import io
import struct
import zlib
from pathlib import PurePath

import numpy as np
import pydicom
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from nullsplat.core.errors import UnreadableFile
from nullsplat.physics.point_spread import BOX, degradation_matrix

LONGEST_SIDE = 1024
"""Pixels. Larger images are reduced on reading: all are held in memory, and crops of them are reduced anyway."""

MODALITIES = frozenset({"CR", "DX", "RG"})

_PICTURES = {".png", ".jpg", ".jpeg"}
_DICOM = {".dcm", ".dicom"}
SUFFIXES = _PICTURES | _DICOM

_BAD_PICTURE = (OSError, SyntaxError, ValueError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises for files that are damaged, or so large that they look like an attack."""

_BAD_DICOM = (
    InvalidDicomError,
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom and its decoders raise for missing or odd attributes and for pixel data that they cannot decode."""


def read_image(name: str, content: bytes) -> tuple[UInt8[ndarray, "z u"], str | None]:
    """Decode one radiograph.

    Args:
        name: file name; its suffix says what the content is.
        content: the whole file.

    Returns:
        8-bit intensities in which white is dense, at most `LONGEST_SIDE` pixels along the longer side, and the
        patient where the file names one.

    Raises:
        UnreadableFile: the content cannot be decoded, or is no single-frame radiograph.
    """
    if PurePath(name).suffix.lower() in _DICOM:
        return _read_dicom(content)
    return _read_picture(content), None


def read_dataset(dataset: Dataset) -> UInt8[ndarray, "z u"]:
    """Decode one radiograph as `read_image` does.

    Args:
        dataset: with pixels and file meta information (the transfer syntax).

    Raises:
        UnreadableFile: it cannot be decoded, or is no single-frame radiograph.
    """
    try:
        modality = str(dataset.get("Modality", ""))
        if modality not in MODALITIES:
            raise UnreadableFile(
                f"a radiograph must have modality CR, DX or RG, this one has {modality or 'none'}"
            )
        pixels = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    except _BAD_DICOM as error:
        raise UnreadableFile(f"it cannot be decoded ({error})") from error
    if pixels.ndim != 2:
        raise UnreadableFile(f"a radiograph must be one grey-scale frame, this one has shape {pixels.shape}")
    values = reduced(pixels)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":  # low values are shown white
        values = -values
    return _stretched(values - values.min())


def reduced(image: Shaped[ndarray, "rows columns"]) -> Float[ndarray, "z u"]:
    """The image in single precision, at most `LONGEST_SIDE` pixels along the longer side, by area averaging.

    Both sides shrink by the same factor, to the nearest pixel; each new pixel is the mean over the area that it covers.
    """
    longest = max(image.shape)
    values = image.astype(np.float32)
    if longest <= LONGEST_SIDE:
        return values
    rows, columns = (max(1, round(side * LONGEST_SIDE / longest)) for side in image.shape)
    down = degradation_matrix(rows, image.shape[0], BOX).astype(np.float32)
    across = degradation_matrix(columns, image.shape[1], BOX).astype(np.float32)
    averaged: ndarray = down @ values @ across.T
    return averaged


def _read_picture(content: bytes) -> UInt8[ndarray, "z u"]:
    try:
        picture = Image.open(io.BytesIO(content))
        if picture.mode.startswith("I"):  # 16 or 32 bits, which Pillow would cut off at 255
            return _stretched(reduced(np.asarray(picture)))
        return np.round(reduced(np.array(picture.convert("L")))).astype(np.uint8)
    except _BAD_PICTURE as error:
        raise UnreadableFile(f"it cannot be decoded ({error})") from error


def _read_dicom(content: bytes) -> tuple[UInt8[ndarray, "z u"], str | None]:
    try:
        dataset = pydicom.dcmread(io.BytesIO(content))
        patient = str(dataset.get("PatientID", "")) or None
    except _BAD_DICOM as error:
        raise UnreadableFile(f"it cannot be decoded ({error})") from error
    return read_dataset(dataset), patient


def _stretched(values: Float[ndarray, "z u"]) -> UInt8[ndarray, "z u"]:
    """Non-negative values to 0..255; the range in use is often 10 or 12 bits of the 16 stored."""
    scaled: ndarray = values * (255 / max(float(values.max()), 1.0))
    return np.round(scaled).astype(np.uint8)

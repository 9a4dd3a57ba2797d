"""Radiographs as 8-bit images: PNG and JPEG as they are displayed, DICOM (CR, DX) through its display steps."""

import io
import struct
import zlib
from pathlib import PurePath

import numpy as np
import pydicom
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from nullsplat.core.errors import UnreadableFile

_PICTURES = {".png", ".jpg", ".jpeg"}
_DICOM = {".dcm", ".dicom"}
SUFFIXES = _PICTURES | _DICOM

_BAD_PICTURE = (OSError, SyntaxError, ValueError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises for files that are damaged, or so large that they look like an attack."""

_BAD_DICOM = (
    InvalidDicomError,
    AttributeError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What pydicom raises for missing attributes and pixel data that it cannot decode."""


def read_image(name: str, content: bytes) -> tuple[UInt8[ndarray, "z u"], str | None]:
    """Decode one radiograph.

    Args:
        name: file name; its suffix says what the content is.
        content: the whole file.

    Returns:
        8-bit intensities in which white is dense, and the patient where the file names one.

    Raises:
        UnreadableFile: the content cannot be decoded, or is no single-frame radiograph.
    """
    if PurePath(name).suffix.lower() in _DICOM:
        return _read_dicom(content)
    return _read_picture(content), None


def _read_picture(content: bytes) -> UInt8[ndarray, "z u"]:
    try:
        picture = Image.open(io.BytesIO(content))
        if picture.mode.startswith("I"):  # 16 or 32 bits, which Pillow would cut off at 255
            return _stretched(np.asarray(picture, dtype=np.float32))
        return np.array(picture.convert("L"))
    except _BAD_PICTURE as error:
        raise UnreadableFile(f"it cannot be decoded ({error})") from error


def _read_dicom(content: bytes) -> tuple[UInt8[ndarray, "z u"], str | None]:
    try:
        dataset = pydicom.dcmread(io.BytesIO(content))
        modality = str(dataset.get("Modality", ""))
        if modality not in {"CR", "DX", "RG"}:
            raise UnreadableFile(
                f"a radiograph must have modality CR, DX or RG, this one has {modality or 'none'}"
            )
        pixels = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    except _BAD_DICOM as error:
        raise UnreadableFile(f"it cannot be decoded ({error})") from error
    if pixels.ndim != 2:
        raise UnreadableFile(f"a radiograph must be one grey-scale frame, this one has shape {pixels.shape}")
    values = pixels.astype(np.float32)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":  # low values are shown white
        values = -values
    return _stretched(values - values.min()), str(dataset.get("PatientID", "")) or None


def _stretched(values: Float[ndarray, "z u"]) -> UInt8[ndarray, "z u"]:
    """Non-negative values to 0..255; the range in use is often 10 or 12 bits of the 16 stored."""
    scaled: ndarray = values * (255 / max(float(values.max()), 1.0))
    return np.round(scaled).astype(np.uint8)

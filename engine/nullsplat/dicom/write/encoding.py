"""How the pixels of derived slices are encoded: as they are, or compressed without loss.

Source: PS3.5 A.4 (encapsulated transfer syntaxes), 8.2.3 (JPEG-LS), 8.2.4 (JPEG 2000), 8.2.14 (HTJ2K).
"""

from enum import StrEnum
from importlib.util import find_spec

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, ExplicitVRLittleEndian, HTJ2KLossless, JPEG2000Lossless, JPEGLSLossless

from nullsplat.core.errors import ConfigurationError


class OutputSyntax(StrEnum):
    """The transfer syntaxes in which slices can be written; all of them give the same pixels back."""

    EXPLICIT = "explicit"
    JPEG_LS = "jpeg-ls"
    JPEG_2000 = "jpeg-2000"
    HTJ2K = "htj2k"

    @property
    def uid(self) -> UID:
        """Of the transfer syntax."""
        return _UIDS[self]


_UIDS = {
    OutputSyntax.EXPLICIT: ExplicitVRLittleEndian,
    OutputSyntax.JPEG_LS: JPEGLSLossless,
    OutputSyntax.JPEG_2000: JPEG2000Lossless,
    OutputSyntax.HTJ2K: HTJ2KLossless,
}


_JPEG_2000_LEAST = 32
"""Rows and columns; OpenJPEG's encoder halves an image five times and refuses what gets smaller than a pixel."""


def check_encoder(syntax: OutputSyntax) -> None:
    """Find out before the long work whether the result can be written like this.

    Raises:
        ConfigurationError: no encoder is installed; says which can be used, and what to install.
    """
    if not _has_encoder(syntax):
        possible = ", ".join(other for other in OutputSyntax if _has_encoder(other))
        raise ConfigurationError(
            f"the transfer syntax {syntax} needs an encoder that is not installed; "
            f"choose one of {possible}, or install {_package(syntax)}"
        )


def check_size(syntax: OutputSyntax, rows: int, columns: int) -> None:
    """Refuse slices that are too small for an encoder.

    Raises:
        ConfigurationError: fewer rows or columns than it needs.
    """
    if syntax is OutputSyntax.JPEG_2000 and min(rows, columns) < _JPEG_2000_LEAST:
        raise ConfigurationError(
            f"the transfer syntax {syntax} needs slices of at least {_JPEG_2000_LEAST} rows and columns, got "
            f"{rows}x{columns}; choose {OutputSyntax.JPEG_LS}"
        )


def encode_pixels(dataset: Dataset, syntax: OutputSyntax) -> None:
    """Compress native pixels in place, and say so in the file meta information.

    Args:
        dataset: of one frame, with file meta information that says Explicit VR Little Endian.
        syntax: one that has passed `check_encoder` and `check_size`.
    """
    if syntax is OutputSyntax.HTJ2K:
        _encode_htj2k(dataset)
    elif syntax is not OutputSyntax.EXPLICIT:
        dataset.compress(syntax.uid, generate_instance_uid=False)


def _encode_htj2k(dataset: Dataset) -> None:
    """With OpenJPH, since pydicom knows no encoder for this one."""
    from imagecodecs import htj2k_encode  # noqa: PLC0415 - optional, and large

    dataset.PixelData = encapsulate([bytes(htj2k_encode(pixel_array(dataset), reversible=True))])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = OutputSyntax.HTJ2K.uid


def _has_encoder(syntax: OutputSyntax) -> bool:
    if syntax is OutputSyntax.EXPLICIT:
        return True
    if syntax is OutputSyntax.HTJ2K:
        return find_spec("imagecodecs") is not None
    return bool(get_encoder(syntax.uid).is_available)


def _package(syntax: OutputSyntax) -> str:
    if syntax is OutputSyntax.HTJ2K:
        return "nullsplat[htj2k]"
    return " or ".join(get_encoder(syntax.uid).missing_dependencies)

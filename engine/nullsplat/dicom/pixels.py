"""Stored values to Hounsfield units, and back.

Source: PS3.3 C.11.1 (Modality LUT), C.7.5.1.1.2 (Pixel Padding Value).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int16
from numpy import ndarray
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.units import LOWEST_HU
from nullsplat.dicom.enhanced import FRAME_NUMBER
from nullsplat.dicom.files import read_file
from nullsplat.dicom.headers import PARSING_ERRORS, number, quiet_pydicom, required_numbers, text
from nullsplat.dicom.refusals import Refusal, refuse

PADDING_IS_AIR_BELOW = -900.0
"""A Pixel Padding Value that means more HU than this cannot be told from tissue and is left alone."""

HIGHEST_HU = 1e6
"""No material comes near; what lies above is a damaged rescale, of which float32 would make NaN much later."""

RESCALE_INTERCEPT = -1024


def check_transfer_syntax(header: Dataset) -> None:
    """Refuse what no installed decoder can read.

    Raises:
        IneligibleSeries: `unsupported-transfer-syntax`, naming the syntax and the package to install.
    """
    name = text(header.file_meta, "TransferSyntaxUID")
    syntax = UID(name)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        refuse(
            Refusal.UNSUPPORTED_TRANSFER_SYNTAX,
            f"pixels in a transfer syntax that pydicom can decode are needed, got {syntax.name if name else 'none'}; "
            "let the archive send Explicit VR Little Endian",
        )
    if not decoder.is_available:
        refuse(
            Refusal.UNSUPPORTED_TRANSFER_SYNTAX,
            f"no decoder for transfer syntax {syntax.name} is installed; "
            f"install one of: {'; '.join(decoder.missing_dependencies)}",
        )


def slice_hu(source: Path | Dataset, header: Dataset, shape: tuple[int, int]) -> Float[ndarray, "y x"]:
    """One slice in Hounsfield units, float32, not below -1024.

    Args:
        source: the file, or the dataset with its pixels, of one frame or of all.
        header: the decoded header of the same slice; says which frame it is, see `enhanced.frames_of`.
        shape: rows and columns that the header promises.
    Raises:
        UnreadableFile: the pixels are truncated, damaged or of another size.
        IneligibleSeries: the rescale is missing or not finite, or makes values that are no HU.
    """
    slope, intercept = _rescale(header)
    stored = _stored(source, header, shape)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        hu = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    padding = _padding(header, slope, intercept)
    if padding is not None:
        low, high = padding
        hu[(stored >= low) & (stored <= high)] = LOWEST_HU
    if not np.isfinite(hu).all():
        refuse(
            Refusal.NOT_FINITE,
            "values in HU must be finite, the rescale makes some infinite; export the series again",
        )
    if hu.max() > HIGHEST_HU:
        refuse(
            Refusal.NOT_HOUNSFIELD,
            f"values in HU are needed, the rescale makes some {hu.max():.3g}; export the series again",
        )
    clipped: ndarray = np.maximum(hu, np.float32(LOWEST_HU))
    return clipped


def stored_values(hu: Float[ndarray, "y x"]) -> Int16[ndarray, "y x"]:
    """HU as int16 for Rescale Slope 1 and Intercept -1024; clipped to [-1024, 31743] HU, the range of int16 above air."""
    stored: ndarray = np.clip(np.rint(hu) - RESCALE_INTERCEPT, 0, np.iinfo(np.int16).max).astype("<i2")
    return stored


def _rescale(header: Dataset) -> tuple[float, float]:
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    if slope is not None and intercept is not None and not np.isfinite([slope, intercept]).all():
        refuse(
            Refusal.NOT_FINITE,
            "Rescale Slope and Intercept must be finite, one is not; export the series again",
        )
    (slope,) = required_numbers(header, "RescaleSlope", 1)
    (intercept,) = required_numbers(header, "RescaleIntercept", 1)
    if slope <= 0:
        refuse(
            Refusal.NOT_HOUNSFIELD, f"Rescale Slope must be positive, got {slope:g}; export the series again"
        )
    return slope, intercept


def _stored(source: Path | Dataset, header: Dataset, shape: tuple[int, int]) -> ndarray:
    name = source.name if isinstance(source, Path) else "a slice"
    frame = number(header, FRAME_NUMBER)
    try:
        with quiet_pydicom():
            dataset = read_file(source, pixels=True) if isinstance(source, Path) else source
            stored = pixel_array(dataset, index=None if frame is None else int(frame) - 1)
    except (*PARSING_ERRORS, MemoryError) as error:
        raise UnreadableFile(
            f"the pixels of {name} are missing, truncated or damaged; export the slice again"
        ) from error
    if stored.shape != shape:
        raise UnreadableFile(
            f"{name} must hold {shape[0]}x{shape[1]} pixels, got {stored.shape}; export it again"
        )
    return stored


def _padding(header: Dataset, slope: float, intercept: float) -> tuple[float, float] | None:
    """The range of stored values that is padding, None if there is none or it could be tissue."""
    first, limit = number(header, "PixelPaddingValue"), number(header, "PixelPaddingRangeLimit")
    if first is None:
        return None
    is_signed = number(header, "PixelRepresentation") == 1
    ends = [_as_signed(value) if is_signed else value for value in (first, first if limit is None else limit)]
    low, high = min(ends), max(ends)
    return (low, high) if high * slope + intercept <= PADDING_IS_AIR_BELOW else None


def _as_signed(value: float) -> float:
    """Undo the unsigned encoding in which some scanners write the padding value of signed pixels."""
    return value - 2**16 if value >= 2**15 else value

"""Stored values to Hounsfield units, and back.

Source: PS3.3 C.11.1 (Modality LUT), C.7.5.1.1.2 (Pixel Padding Value).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int16
from numpy import ndarray
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, RLELossless

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.units import HIGHEST_HU, LOWEST_HU
from nullsplat.dicom.headers import PARSING_ERRORS, named, number, quiet_pydicom, text
from nullsplat.dicom.read.enhanced import FRAME_NUMBER
from nullsplat.dicom.read.files import read_file
from nullsplat.dicom.read.pixel_format import check_rescale
from nullsplat.dicom.refusals import Refusal, refuse

PADDING_IS_AIR = (-900.0, 3071.0)
"""A Pixel Padding Value between these many HU cannot be told from tissue and is left alone; outside it is made air."""

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
    slope, intercept = check_rescale(header)
    stored = _stored(source, header, shape)
    padding = _padding(stored, header, slope, intercept)
    _check_bits(stored, padding, header)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        hu = stored.values.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    hu[padding] = LOWEST_HU
    if not np.isfinite(hu).all():
        refuse(
            Refusal.NOT_FINITE,
            f"values in HU must be finite, the rescale of {named(header)} makes some infinite; export the series again",
        )
    if hu.max() > HIGHEST_HU:
        refuse(
            Refusal.NOT_HOUNSFIELD,
            f"values in HU up to {HIGHEST_HU:g} are needed, {named(header)} holds {hu.max():.6g}; if these are padding, "
            "let Pixel Padding Value say so, else correct the rescale",
        )
    clipped: ndarray = np.maximum(hu, np.float32(LOWEST_HU))
    return clipped


def check_scale(headers: Sequence[Dataset], lowest_hu: float) -> None:
    """Refuse values that nobody calls Hounsfield units and that cannot be: with air at 0, as dental CT and converters write.

    Args:
        headers: of all slices.
        lowest_hu: of all their pixels.
    Raises:
        IneligibleSeries: `not-hounsfield`.
    """
    says_hu = any(text(header, "RescaleType").upper() == "HU" for header in headers)
    if not says_hu and lowest_hu >= 0:
        refuse(
            Refusal.NOT_HOUNSFIELD,
            "values in Hounsfield units are needed, of these none is below 0, where air is -1000 and fat -100, and no Rescale "
            "Type says HU; correct the Rescale Intercept, or say HU if they are",
        )


def stored_values(hu: Float[ndarray, "y x"]) -> Int16[ndarray, "y x"]:
    """HU as int16 for Rescale Slope 1 and Intercept -1024; clipped to [-1024, 31743] HU, the range of int16 above air."""
    stored: ndarray = np.clip(np.rint(hu) - RESCALE_INTERCEPT, 0, np.iinfo(np.int16).max).astype("<i2")
    return stored


@dataclass(frozen=True)
class _Stored:
    """Pixels of one slice.

    Attributes:
        values: by the standard: of each pixel the bits that Bits Stored says.
        held: with all bits of the pixel; the same where pixels are compressed by more than run lengths.
        bits: Bits Stored.
        is_masked: the other bits hold overlays, as retired editions of the standard allowed.
    """

    values: ndarray
    held: ndarray
    bits: int
    is_masked: bool

    @property
    def beyond(self) -> ndarray:
        """Where a pixel holds more than fits in Bits Stored: bits that are neither empty nor the sign's."""
        different: ndarray = self.held != self.values
        if self.is_masked:
            return np.zeros_like(different)
        if not different.any() or not np.issubdtype(self.held.dtype, np.signedinteger):
            return different
        bare = (self.held >= 0) & (self.held < 2**self.bits)  # a negative value whose sign is not extended
        is_extended = bool((self.held < 0).any())  # a writer that extends the sign does so everywhere
        beyond: ndarray = different if is_extended else different & ~bare
        return beyond


def _stored(source: Path | Dataset, header: Dataset, shape: tuple[int, int]) -> _Stored:
    name = named(header)
    frame = number(header, FRAME_NUMBER)
    index = None if frame is None else int(frame) - 1
    try:
        with quiet_pydicom():
            dataset = read_file(source, pixels=True) if isinstance(source, Path) else source
            values = pixel_array(dataset, index=index)
            syntax = UID(text(header.file_meta, "TransferSyntaxUID"))
            has_all_bits = not syntax.is_encapsulated or syntax == RLELossless
            held = pixel_array(dataset, index=index, correct_unused_bits=False) if has_all_bits else values
            stored = _Stored(
                values, held, int(number(header, "BitsStored") or 16), _has_overlay_bits(dataset)
            )
    except (*PARSING_ERRORS, MemoryError) as error:
        raise UnreadableFile(
            f"the pixels of {name} are missing, truncated or damaged; export the slice again"
        ) from error
    if values.shape != shape:
        raise UnreadableFile(
            f"{name} must hold {shape[0]}x{shape[1]} pixels, got {values.shape}; export it again"
        )
    return stored


def _has_overlay_bits(dataset: Dataset) -> bool:
    """Whether overlays lie in pixels' unused bits: Overlay Bit Position (60xx,0102) other than 0; PS3.5 8.1.2."""
    positions = (dataset.get((group, 0x0102)) for group in range(0x6000, 0x6020, 2))
    return any(one is not None and one.value for one in positions)


def _padding(stored: _Stored, header: Dataset, slope: float, intercept: float) -> ndarray:
    """Which pixels are padding and no tissue.

    What a header declares as padding is made air where it means less than air or more than bone, or does not even fit in
    Bits Stored. Source: PS3.3 C.7.5.1.1.2 (Pixel Padding Value and Range Limit).
    """
    first, limit = number(header, "PixelPaddingValue"), number(header, "PixelPaddingRangeLimit")
    if first is None:
        return np.zeros(stored.values.shape, bool)
    is_signed = number(header, "PixelRepresentation") == 1
    ends = [_as_signed(value) if is_signed else value for value in (first, first if limit is None else limit)]
    low, high = min(ends), max(ends)
    air, bone = PADDING_IS_AIR
    inside = (stored.held >= low) & (stored.held <= high)
    if high * slope + intercept <= air or low * slope + intercept > bone:
        padding: ndarray = inside | ((stored.values >= low) & (stored.values <= high))
        return padding
    beyond: ndarray = inside & stored.beyond
    return beyond


def _check_bits(stored: _Stored, padding: ndarray, header: Dataset) -> None:
    """Refuse pixels that a reader by the standard would wrap around: metal would become fat."""
    count = int(np.count_nonzero(stored.beyond & ~padding))
    if count:
        refuse(
            Refusal.BEYOND_BITS_STORED,
            f"stored values must fit in {number(header, 'BitsStored'):g} bits, as Bits Stored says, {count} of "
            f"{named(header)} do not; let the scanner or archive send the series again with the right Bits Stored",
        )


def _as_signed(value: float) -> float:
    """Undo the unsigned encoding in which some scanners write the padding value of signed pixels."""
    return value - 2**16 if value >= 2**15 else value

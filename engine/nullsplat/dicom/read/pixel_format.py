"""Whether stored values are what a CT image has: one number for each pixel, which a rescale makes Hounsfield units.

Source: PS3.3 C.7.6.3 (Image Pixel), C.8.2.1 (CT Image), C.11.1 (Modality LUT); PS3.5 8.1.1 (Bits Stored).
"""

import math

from pydicom.dataset import Dataset

from nullsplat.dicom.headers import named, number, printable, required_numbers, text
from nullsplat.dicom.refusals import Refusal, refuse

MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
BITS_ALLOCATED = (8, 16, 32)
UNITS = ("", "HU", "US")
"""Rescale Types that are taken; US, "unspecified", is what older scanners write."""


def check_format(header: Dataset) -> None:
    """Refuse pixels that are no single values, and a description of them that cannot be.

    Raises:
        IneligibleSeries: `not-hounsfield` or `incomplete-header`.
    """
    (samples,) = required_numbers(header, "SamplesPerPixel", 1)
    shown = text(header, "PhotometricInterpretation")
    if samples != 1 or (shown and shown not in MONOCHROME):
        refuse(
            Refusal.NOT_HOUNSFIELD,
            f"monochrome images of values in Hounsfield units are needed, got {samples:g} sample(s) per pixel and "
            f"{printable(shown)} in {named(header)}; choose another series",
        )
    if not shown:
        _refuse_description(
            header, "PhotometricInterpretation must be MONOCHROME1 or MONOCHROME2, got nothing"
        )
    _check_bits(header)


def check_rescale(header: Dataset) -> tuple[float, float]:
    """Rescale Slope and Intercept.

    Raises:
        IneligibleSeries: `not-finite`, `incomplete-header`, or `not-hounsfield` where they make no Hounsfield units.
    """
    unit = text(header, "RescaleType").upper()
    if unit not in UNITS:
        refuse(
            Refusal.NOT_HOUNSFIELD,
            f"values in Hounsfield units are needed, got Rescale Type {printable(unit)} in {named(header)}; "
            "choose another series",
        )
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        value = number(header, keyword)
        if value is not None and not math.isfinite(value):
            refuse(
                Refusal.NOT_FINITE,
                f"Rescale Slope and Intercept must be finite, {keyword} of {named(header)} is not; export the series again",
            )
    (slope,) = required_numbers(header, "RescaleSlope", 1)
    (intercept,) = required_numbers(header, "RescaleIntercept", 1)
    if slope <= 0:
        refuse(
            Refusal.NOT_HOUNSFIELD,
            f"Rescale Slope must be positive, got {slope:g} in {named(header)}; export the series again",
        )
    return slope, intercept


def _check_bits(header: Dataset) -> None:
    (allocated,), (stored,), (signed,) = (
        required_numbers(header, keyword, 1)
        for keyword in ("BitsAllocated", "BitsStored", "PixelRepresentation")
    )
    high = number(header, "HighBit")
    if allocated not in BITS_ALLOCATED or not 1 <= stored <= allocated or signed not in (0, 1):
        _refuse_description(
            header,
            f"pixels of 8, 16 or 32 bits with no more bits stored are needed, got {allocated:g} allocated, {stored:g} "
            f"stored, Pixel Representation {signed:g}",
        )
    if high is not None and high != stored - 1:  # PS3.5 8.1.1; decoders disagree on the rest
        _refuse_description(header, f"High Bit must be Bits Stored - 1, got {high:g} and {stored:g}")


def _refuse_description(header: Dataset, came: str) -> None:
    refuse(Refusal.INCOMPLETE_HEADER, f"{came} in {named(header)}; export the series again")

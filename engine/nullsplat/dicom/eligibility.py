"""Whether a series is of a kind that can be super-resolved at all; geometry is checked in `stacking`.

Source: PS3.3 A.3 (CT Image), C.8.2.1 (CT Image module), C.7.6.1 (General Image).
"""

from collections import Counter
from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from nullsplat.dicom.derived_kinds import strange_word
from nullsplat.dicom.headers import number, printable, required_uid, text, words
from nullsplat.dicom.refusals import Refusal, refuse

PRODUCT_NAME = "NullSplat"
"""Manufacturer and model in everything that we write, by which we know our own series again."""

IMAGE_CLASSES = (CTImageStorage, EnhancedCTImageStorage)
"""What is read."""

MINIMUM_SLICES = 3
"""With fewer slices nothing can be said about the regularity of their spacing."""


def check_same_series(headers: Sequence[Dataset]) -> None:
    """Refuse a mixture of series, naming each by its number and size.

    Raises:
        IneligibleSeries: `mixed-series`, or `incomplete-header` without a Series Instance UID.
    """
    sizes = Counter(required_uid(header, "SeriesInstanceUID") for header in headers)
    if len(sizes) == 1:
        return
    numbers = {text(header, "SeriesInstanceUID"): number(header, "SeriesNumber") for header in headers}
    listed = ", ".join(
        f"number {_series_number(numbers[uid])} with {size} image(s)" for uid, size in sizes.items()
    )
    refuse(
        Refusal.MIXED_SERIES,
        f"one series was needed, got {len(sizes)}: {listed}; move each into a folder of its own",
    )


def check_kind(headers: Sequence[Dataset]) -> None:
    """Refuse what is no original single-energy axial CT series in Hounsfield units.

    Args:
        headers: of the slices; frames of an Enhanced CT image as `enhanced.frames_of` gives them.
    Raises:
        IneligibleSeries: with the code of the first reason found.
    """
    for header in headers:
        _check_class(header)
        _check_image_type(header, len(headers))
        _check_energy(header)
        _check_values(header)


def check_count(headers: Sequence[Dataset]) -> None:
    """Refuse a series that is too short.

    Raises:
        IneligibleSeries: `too-few-slices`.
    """
    if len(headers) < MINIMUM_SLICES:
        refuse(
            Refusal.TOO_FEW_SLICES,
            f"at least {MINIMUM_SLICES} slices are needed, got {len(headers)}; check that the series is complete",
        )


def _series_number(value: float | None) -> str:
    return f"{value:.0f}" if value is not None else "unknown"


def _check_class(header: Dataset) -> None:
    sop_class = text(header, "SOPClassUID")
    if sop_class == LegacyConvertedEnhancedCTImageStorage or (number(header, "NumberOfFrames") or 1) > 1:
        refuse(
            Refusal.ENHANCED,
            "CT Image Storage or Enhanced CT Image Storage is needed, got another kind of multi-frame CT; "
            "let the scanner or archive send the series as classic CT images",
        )
    modality = text(header, "Modality").upper()
    if modality != "CT" or sop_class not in IMAGE_CLASSES:
        refuse(
            Refusal.NOT_CT,
            f"CT images are needed (CT or Enhanced CT Image Storage, modality CT), got modality {printable(modality)}"
            f"{'' if sop_class in IMAGE_CLASSES else ' of another storage class'}; choose another series",
        )


def _check_image_type(header: Dataset, count: int) -> None:
    image_type = words(header, "ImageType")
    if "LOCALIZER" in image_type:
        refuse(
            Refusal.LOCALIZER,
            f"a stack of axial slices is needed, got a localizer among {count} image(s); choose the scan itself",
        )
    if _is_ours(header):
        refuse(
            Refusal.DERIVED, "a scanner's series is needed, got one that NullSplat made; choose its source"
        )
    if image_type[:1] == ("DERIVED",):
        _check_derived(header, image_type)


def _is_ours(header: Dataset) -> bool:
    makers = (header, *(header.get("ContributingEquipmentSequence") or []))
    return any(PRODUCT_NAME in text(maker, "Manufacturer") for maker in makers)


def _check_derived(header: Dataset, image_type: tuple[str, ...]) -> None:
    """Refuse what was computed of slices and is none any more."""
    strange = strange_word(image_type)
    if strange is None and text(header, "SyntheticData").upper() == "YES":
        strange = "synthetic data"
    if strange is not None:
        refuse(
            Refusal.DERIVED,
            f"slices are needed, or reformats of slices in HU, got derived images of the kind {printable(strange)}; "
            "choose the series that the scanner reconstructed",
        )


def _check_energy(header: Dataset) -> None:
    if words(header, "MultienergyCTAcquisition") == ("YES",) or "MultienergyCTAcquisitionSequence" in header:
        refuse(
            Refusal.MULTI_ENERGY,
            "a single-energy series is needed, got a multi-energy one; choose a conventional reconstruction",
        )
    if "FOR PROCESSING" in words(header, "PresentationIntentType"):
        refuse(
            Refusal.FOR_PROCESSING,
            "images for presentation are needed, got images for processing; choose the reconstruction meant for reading",
        )


def _check_values(header: Dataset) -> None:
    if (number(header, "SamplesPerPixel") or 1) != 1:
        refuse(
            Refusal.NOT_HOUNSFIELD,
            "images in Hounsfield units are needed, got colour images; choose another series",
        )
    stored, high = number(header, "BitsStored"), number(header, "HighBit")
    if (
        stored is not None and high is not None and high != stored - 1
    ):  # PS3.5 8.1.1; decoders disagree on the rest
        refuse(
            Refusal.INCOMPLETE_HEADER,
            f"High Bit must be Bits Stored - 1, got {high:g} and {stored:g}; export the series again",
        )
    rescale_type = text(header, "RescaleType").upper()
    if rescale_type not in ("", "HU", "US"):  # US, "unspecified", is what older scanners write
        refuse(
            Refusal.NOT_HOUNSFIELD,
            f"values in Hounsfield units are needed, got Rescale Type {printable(rescale_type)}; choose another series",
        )

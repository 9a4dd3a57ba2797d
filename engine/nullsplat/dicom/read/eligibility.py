"""Whether a series is of a kind that can be super-resolved at all; geometry is checked in `geometry.stacking`.

Source: PS3.3 A.3 (CT Image), C.8.2.1 (CT Image module), C.7.6.1 (General Image).
"""

from collections import Counter
from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from nullsplat.dicom.headers import named, number, printable, required_uid, text, words
from nullsplat.dicom.read.derived_kinds import TECHNIQUES, strange_word
from nullsplat.dicom.read.pixel_format import check_format, check_rescale
from nullsplat.dicom.refusals import Refusal, refuse

PRODUCT_NAME = "NullSplat"
"""Manufacturer and model in everything that we write, by which we know our own series again."""

IMAGE_CLASSES = (CTImageStorage, EnhancedCTImageStorage)
"""What is read."""

SPECTRAL_IMAGE_TYPES = frozenset(
    # Image Type value 4 of multi-energy images, PS3.3 C.8.15.2.1 and C.8.2.1.1.1
    [
        "VMI",
        "MAT_SPECIFIC",
        "MAT_REMOVED",
        "MAT_FRACTIONAL",
        "EFF_ATOMIC_NUM",
        "ELECTRON_DENSITY",
        "MAT_MODIFIED",
        "MAT_VALUE_BASED",
    ]
)

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
        _check_ours(header)
    for header in headers:
        _check_class(header)
    for header in headers:
        _check_image_type(header, len(headers))
        _check_intent(header)
        _check_energy(header)
        check_format(header)
        check_rescale(header)


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


def _check_ours(header: Dataset) -> None:
    for equipment in (header, *(header.get("ContributingEquipmentSequence") or [])):
        names = text(equipment, "Manufacturer") + " " + text(equipment, "ManufacturerModelName")
        if PRODUCT_NAME.lower() in names.lower():
            refuse(
                Refusal.OURS,
                f"a scanner's series is needed, {named(header)} is a result of {PRODUCT_NAME}; choose its source",
            )


def _check_class(header: Dataset) -> None:
    modality, sop_class = text(header, "Modality").upper(), text(header, "SOPClassUID")
    if modality != "CT" or sop_class not in (*IMAGE_CLASSES, LegacyConvertedEnhancedCTImageStorage):
        refuse(
            Refusal.NOT_CT,
            f"CT images are needed (CT or Enhanced CT Image Storage, modality CT), got modality {printable(modality)}"
            f"{'' if sop_class in IMAGE_CLASSES else ' of another storage class'} in {named(header)}; choose another series",
        )
    if sop_class not in IMAGE_CLASSES or (number(header, "NumberOfFrames") or 1) > 1:
        refuse(
            Refusal.ENHANCED,
            f"CT Image Storage or Enhanced CT Image Storage is needed, {named(header)} is another kind of multi-frame CT; "
            "let the scanner or archive send the series as classic CT images",
        )


def _check_image_type(header: Dataset, count: int) -> None:
    image_type = words(header, "ImageType")
    if "LOCALIZER" in image_type:
        refuse(
            Refusal.LOCALIZER,
            f"a stack of axial slices is needed, {named(header)} is a localizer among {count} image(s); "
            "choose the scan itself",
        )
    technique = text(header, "VolumeBasedCalculationTechnique").upper()
    _refuse_strange(header, None if technique in TECHNIQUES else technique)
    if image_type[:1] == ("DERIVED",):
        synthetic = "synthetic data" if text(header, "SyntheticData").upper() == "YES" else None
        _refuse_strange(header, strange_word(image_type) or synthetic)


def _refuse_strange(header: Dataset, word: str | None) -> None:
    """Refuse what was computed of slices and is none any more, by the word that says so."""
    if word is not None:
        refuse(
            Refusal.DERIVED,
            f"slices are needed, or reformats of slices in HU, {named(header)} is derived of the kind {printable(word)}; "
            "choose the series that the scanner reconstructed",
        )


def _check_energy(header: Dataset) -> None:
    spectral = SPECTRAL_IMAGE_TYPES.intersection(words(header, "ImageType")[3:])
    said = words(header, "MultienergyCTAcquisition") == ("YES",) or header.get(
        "MultienergyCTAcquisitionSequence"
    )
    if said or spectral:
        refuse(
            Refusal.MULTI_ENERGY,
            f"a single-energy series is needed, {named(header)} is {min(spectral, default='multi-energy')}; "
            "choose a conventional reconstruction",
        )


def _check_intent(header: Dataset) -> None:
    if "FOR PROCESSING" in words(header, "PresentationIntentType"):
        refuse(
            Refusal.FOR_PROCESSING,
            f"images for presentation are needed, {named(header)} is for processing; "
            "choose the reconstruction meant for reading",
        )

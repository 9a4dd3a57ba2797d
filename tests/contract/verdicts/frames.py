"""Rows about Enhanced CT: one instance, its frames judged like slices."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pydicom.dataset import Dataset
from tests.contract.verdicts.table import GOOD, Edit, Row, Series, every, row, syntax, then
from tests.support.dicom.enhanced import group, make_enhanced
from tests.support.dicom.series import SAGITTAL, Spec


def enhanced(order: Sequence[int] | None = None, spec: Spec = GOOD) -> Edit:
    """Make one Enhanced instance with the UIDs of the series."""

    def edit(series: Series) -> Series:
        made = make_enhanced(replace(spec, uid=str(series[0].SeriesInstanceUID)), order)
        made.SeriesInstanceUID = series[0].SeriesInstanceUID
        return [made]

    return edit


def frames(edit: Callable[[int, Dataset], object]) -> Edit:
    """Edit the functional groups of each frame."""

    def edited(series: Series) -> None:
        for index, item in enumerate(series[0].PerFrameFunctionalGroupsSequence):
            edit(index, item)

    return edited


def shared(keyword: str, **attributes: object) -> Edit:
    def edited(series: Series) -> None:
        item = series[0].SharedFunctionalGroupsSequence[0][keyword][0]
        for name, value in attributes.items():
            setattr(item, name, value)

    return edited


def content(**of: Callable[[int], object]) -> Edit:
    """Set attributes of each frame's content."""

    def edit(index: int, item: Dataset) -> None:
        for name, value in of.items():
            setattr(item.FrameContentSequence[0], name, value(index))

    return frames(edit)


def own(keyword: str, name: str, value: Callable[[int], object]) -> Edit:
    """Give each frame a functional group of its own."""
    return frames(lambda index, item: group(item, keyword, **{name: value(index)}))


def no_groups(series: Series) -> None:
    del series[0].PerFrameFunctionalGroupsSequence


def second(series: Series) -> Series:
    return enhanced(spec=replace(GOOD, seed=1))(series) or []


ROWS: list[Row] = [
    row("enhanced", "taken", enhanced()),
    row("enhanced, frames from above", "taken", enhanced(range(5, -1, -1))),
    row("enhanced, two instances", "enhanced-not-supported", enhanced(), then(second)),
    row("enhanced, half of a concatenation", "enhanced-not-supported", enhanced(), every(ConcatenationUID="1.2.3", InConcatenationNumber=1, InConcatenationTotalNumber=2)),
    row("enhanced, a concatenation of one", "taken", enhanced(), every(ConcatenationUID="1.2.3", InConcatenationNumber=1, InConcatenationTotalNumber=1)),
    row("enhanced, no groups", "enhanced-not-supported", enhanced(), no_groups),
    row("enhanced, fewer groups", "enhanced-not-supported", enhanced(), every(NumberOfFrames=7)),
    row("enhanced, two stacks", "multi-stack", enhanced(), content(StackID=lambda i: str(1 + i // 3))),
    row("enhanced, computed frames", "derived", enhanced(), shared("CTImageFrameTypeSequence", FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "MEAN"])),
    row("enhanced, derived frames", "taken", enhanced(), shared("CTImageFrameTypeSequence", FrameType=["DERIVED", "PRIMARY", "VOLUME", "NONE"])),
    *(
        row(f"enhanced, {technique} frames", "derived", enhanced(), shared("CTImageFrameTypeSequence", VolumeBasedCalculationTechnique=technique))
        for technique in ("MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER", "CURVED_MPR", "MIXED")
    ),
    row("enhanced, one projected frame", "derived", enhanced(), own("CTImageFrameTypeSequence", "VolumeBasedCalculationTechnique", lambda i: "MAX_IP" if i == 4 else "NONE")),
    row("enhanced, straight reformat", "taken", enhanced(), shared("CTImageFrameTypeSequence", VolumeBasedCalculationTechnique="MPR")),
    row("enhanced, no technique", "taken", enhanced(), shared("CTImageFrameTypeSequence", VolumeBasedCalculationTechnique="NONE")),
    row("enhanced, localizer", "localizer", enhanced(), shared("CTImageFrameTypeSequence", FrameType=["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"])),
    row("enhanced, distorted", "enhanced-not-supported", enhanced(), shared("CTImageFrameTypeSequence", VolumetricProperties="DISTORTED")),
    row("enhanced, multi-energy", "multi-energy", enhanced(), every(MultienergyCTAcquisition="YES")),
    row("enhanced, no HU", "not-hounsfield", enhanced(), shared("PixelValueTransformationSequence", RescaleType="ED")),
    row("enhanced, slope 0", "not-hounsfield", enhanced(), shared("PixelValueTransformationSequence", RescaleSlope=0)),
    row("enhanced, no frame of reference", "taken", enhanced(), every(FrameOfReferenceUID="")),
    row("enhanced, two frames", "too-few-slices", enhanced([0, 1])),
    row("enhanced, frame missing", "missing-slice", enhanced([0, 1, 2, 4, 5])),
    row("enhanced, two phases", "duplicate-slices", enhanced([*range(6), *range(6)])),
    row("enhanced, one frame turned", "mixed-orientation", enhanced(),
        frames(lambda i, item: i == 3 and group(item, "PlaneOrientationSequence", ImageOrientationPatient=list(SAGITTAL)))),
    row("enhanced, no orientation", "incomplete-header", enhanced(), shared("PlaneOrientationSequence", ImageOrientationPatient=None)),
    row("enhanced, no pixel spacing", "incomplete-header", enhanced(), shared("PixelMeasuresSequence", PixelSpacing=None)),
    row("enhanced, gaps", "slice-gaps", enhanced(), shared("PixelMeasuresSequence", SliceThickness=1)),
    row("enhanced, thickness in micrometres", "implausible-thickness", enhanced(), shared("PixelMeasuresSequence", SliceThickness=5000)),
    row("enhanced, thickness alternates", "mixed-acquisition", enhanced(),
        frames(lambda i, item: group(item, "PixelMeasuresSequence", PixelSpacing=[0.7, 0.7], SliceThickness=1 + 4 * (i % 2)))),
    row("enhanced, energies alternate", "mixed-acquisition", enhanced(), own("CTXRayDetailsSequence", "KVP", lambda i: 80 + 60 * (i % 2))),
    row("enhanced, kernels alternate", "mixed-acquisition", enhanced(), own("CTReconstructionSequence", "ConvolutionKernel", lambda i: "AB"[i % 2])),
    row("enhanced, acquisitions alternate", "mixed-acquisition", enhanced(), content(FrameAcquisitionNumber=lambda i: 1 + i % 2)),
    row("enhanced, acquisitions change half-way", "taken", enhanced(), content(FrameAcquisitionNumber=lambda i: 1 + i // 3)),
    row("enhanced, temporal positions alternate", "mixed-acquisition", enhanced(), content(TemporalPositionIndex=lambda i: 1 + i % 2)),
    row("enhanced, cardiac phases alternate", "mixed-acquisition", enhanced(),
        own("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase", lambda i: 40.0 + 35 * (i % 2))),
    row("enhanced, times alternate", "mixed-acquisition", enhanced(), content(FrameAcquisitionDateTime=lambda i: f"2024020310{2 * (i % 2):02d}00")),
    row("enhanced, events alternate", "mixed-acquisition", enhanced(),
        own("IrradiationEventIdentificationSequence", "IrradiationEventUID", lambda i: f"1.2.{1 + i % 2}")),
    row("enhanced, palette", "not-hounsfield", enhanced(), every(PhotometricInterpretation="PALETTE COLOR")),
    row("enhanced, private syntax", "unsupported-transfer-syntax", enhanced(), syntax("1.2.840.10008.1.2.4.94", encapsulated=True)),
    row("enhanced, ours", "ours", enhanced(), every(Manufacturer="NullSplat")),
]  # fmt: skip

"""Enhanced CT: one multi-frame instance as the slices that it holds, each with a header like that of a classic image.

What differs from frame to frame stands in functional groups. Laid flat, a frame has the attributes that a classic CT
image has, so that one set of checks, one way to stack and one way to carry attributes serve both.
Source: PS3.3 A.38 (Enhanced CT Image IOD), C.7.6.16 (Multi-frame Functional Groups), C.8.15.3 (CT functional groups).
"""

from collections.abc import Iterator, Sequence
from typing import NoReturn

from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage

from nullsplat.dicom.headers import number, text, words
from nullsplat.dicom.refusals import Refusal, refuse

FRAME_NUMBER = "ReferencedFrameNumber"
"""In the header of a slice that was a frame: which one, from 1."""

_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_USED = """
    PixelMeasuresSequence PlanePositionSequence PlaneOrientationSequence PixelValueTransformationSequence
    FrameVOILUTSequence FrameAnatomySequence FrameContentSequence IrradiationEventIdentificationSequence
    CardiacSynchronizationSequence CTImageFrameTypeSequence CTAcquisitionTypeSequence CTAcquisitionDetailsSequence CTTableDynamicsSequence
    CTPositionSequence CTGeometrySequence CTReconstructionSequence CTExposureSequence CTXRayDetailsSequence
    MultienergyCTProcessingSequence
"""
_GROUPS = tuple(_USED.split())
"""The functional groups whose attributes are laid flat; the others say nothing that is used here."""

_CLASSIC = {
    "FrameType": "ImageType",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "FrameAcquisitionDateTime": "AcquisitionDateTime",
    "ExposureTimeInms": "ExposureTime",
    "XRayTubeCurrentInmA": "XRayTubeCurrent",
    "ExposureInmAs": "Exposure",
}
"""What has another name in a classic image."""
_WHOLE = frozenset({"ExposureTime", "XRayTubeCurrent", "Exposure"})
"""Floating point in a frame, integers in a classic image."""


def is_enhanced(header: Dataset) -> bool:
    """Whether this is an Enhanced CT instance."""
    return text(header, "SOPClassUID") == EnhancedCTImageStorage


def frames_of(headers: Sequence[Dataset]) -> list[Dataset]:
    """One header for each frame, in the order of the frames.

    Args:
        headers: of all instances of the series, decoded.
    Raises:
        IneligibleSeries: `enhanced-not-supported`, more than one instance, a part of one, or functional groups that do not
            fit; `multi-stack`, the frames belong to several stacks; `derived`, frames that are no original volume.
    """
    if len(headers) > 1:
        _refuse_kind(f"a series of one multi-frame instance is needed, got {len(headers)} instances")
    header = headers[0]
    if text(header, "ConcatenationUID") and number(header, "InConcatenationTotalNumber") != 1:
        _refuse_kind("one whole multi-frame instance is needed, got a part of a concatenation")
    shared, per_frame = header.get(_SHARED) or [], header.get(_PER_FRAME) or []
    count = int(number(header, "NumberOfFrames") or 0)
    if not per_frame or len(per_frame) != count:
        _refuse_kind(f"functional groups for each of {count} frame(s) are needed, got {len(per_frame)}")
    if len(shared) > 1:
        _refuse_kind(f"one item of shared functional groups is needed, got {len(shared)}")
    common = _without_groups(header)
    frames = [_flat(common, [*shared, item], index) for index, item in enumerate(per_frame, start=1)]
    _check_stacks(per_frame)
    for frame in frames:
        _check_original(frame)
    return frames


def _without_groups(header: Dataset) -> Dataset:
    common = Dataset()
    common.update({tag: header[tag] for tag in header.keys()})  # noqa: SIM118 - iterating yields elements
    for keyword in (
        _SHARED,
        _PER_FRAME,
        "NumberOfFrames",
        "DimensionOrganizationSequence",
        "DimensionIndexSequence",
    ):
        common.pop(keyword, None)
    common.file_meta = header.file_meta
    return common


def _flat(common: Dataset, groups: Sequence[Dataset], frame_number: int) -> Dataset:
    frame = Dataset()
    frame.update(common)
    frame.file_meta = common.file_meta
    for macro in _macros(groups):
        frame.update(macro)
    for keyword, classic in _CLASSIC.items():
        if keyword in frame:
            _put(frame, classic, _rounded(frame, keyword) if classic in _WHOLE else frame[keyword].value)
    _put(frame, "InstanceNumber", frame_number)
    _put(frame, FRAME_NUMBER, frame_number)
    return frame


def _put(frame: Dataset, keyword: str, value: object) -> None:
    """Set an attribute of this frame alone: pydicom would change the element that all frames share."""
    frame.pop(keyword, None)
    setattr(frame, keyword, value)


def _macros(groups: Sequence[Dataset]) -> Iterator[Dataset]:
    """The first item of each functional group, shared ones first, so that those of the frame overrule them."""
    for group in groups:
        for keyword in _GROUPS:
            yield from (group.get(keyword) or [])[:1]


def _rounded(frame: Dataset, keyword: str) -> int | None:
    value = number(frame, keyword)
    return None if value is None or not abs(value) < 2**31 else round(value)


def _check_stacks(per_frame: Sequence[Dataset]) -> None:
    """Refuse frames that the scanner itself says belong to several stacks."""
    stacks = {
        text(item, "StackID") for group in per_frame for item in group.get("FrameContentSequence") or []
    }
    if len(stacks) > 1:
        refuse(
            Refusal.MULTI_STACK,
            f"the frames of one stack are needed, got {len(stacks)} stacks; let the scanner send one series for each",
        )


def _check_original(frame: Dataset) -> None:
    """Refuse frames that are no slices of a scanned volume: projections, or the result of arithmetic."""
    contrast = words(frame, "ImageType")[3:4]
    if contrast not in ((), ("",), ("NONE",)):
        refuse(
            Refusal.DERIVED,
            "original frames are needed, Frame Type says that some are computed from others; "
            "choose the series that the scanner reconstructed",
        )
    if words(frame, "VolumetricProperties") not in ((), ("VOLUME",)):
        _refuse_kind("frames that sample a volume are needed, Volumetric Properties says that some do not")


def _refuse_kind(came: str) -> NoReturn:
    refuse(Refusal.ENHANCED, f"{came}; let the scanner or archive send the series as classic CT images")

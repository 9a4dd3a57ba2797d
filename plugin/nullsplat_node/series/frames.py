# SPDX-License-Identifier: AGPL-3.0-or-later
"""Enhanced CT: one multi-frame instance as the slices that it holds, each with tags like those of a classic image.

What differs from frame to frame is in functional groups. Flattened, one set of checks serves both. The engine does
the same, so that it does not refuse what was taken here.
Source: PS3.3 A.38 (Enhanced CT Image IOD), C.7.6.16 (Multi-frame Functional Groups).
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, NoReturn, Sequence

from nullsplat_node.series.refusal import Refused
from nullsplat_node.series.tags import BadTag, Tags, items, number, text, values

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_GROUPS = (
    "PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence", "PixelValueTransformationSequence",
    "FrameContentSequence", "CTImageFrameTypeSequence", "CTAcquisitionDetailsSequence", "CTReconstructionSequence",
    "CTExposureSequence", "CTXRayDetailsSequence", "CTTableDynamicsSequence", "CardiacSynchronizationSequence",
    "IrradiationEventIdentificationSequence",
)  # fmt: skip
_CLASSIC = {
    "FrameType": "ImageType",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "FrameAcquisitionDateTime": "AcquisitionDateTime",
    "ExposureTimeInms": "ExposureTime",
    "XRayTubeCurrentInmA": "XRayTubeCurrent",
    "ExposureInmAs": "Exposure",
}
"""Attributes with another name in a classic image."""


def slices_of(instances: Sequence[Tags]) -> List[Tags]:
    """Return the tags of each slice: the instances themselves, or the frames of an Enhanced CT image.

    Raises:
        Refused: an Enhanced CT image that is not alone, or whose frames are not slices of one volume.
    """
    if all(text(tags, "SOPClassUID") != ENHANCED_CT for tags in instances):
        return list(instances)
    if len(instances) > 1:
        _refuse_kind(f"a series must be one multi-frame instance, there are {len(instances)} instances")
    whole = instances[0]
    if text(whole, "ConcatenationUID") and text(whole, "InConcatenationTotalNumber") != "1":
        _refuse_kind("a series must be one whole multi-frame instance, this is a part of a concatenation")
    shared, per_frame, count = items(whole, _SHARED), items(whole, _PER_FRAME), _frames(whole)
    if not per_frame or len(per_frame) != count:
        _refuse_kind(f"{count} frames must have functional groups each, {len(per_frame)} have")
    if len(shared) > 1:
        _refuse_kind(f"one item of shared functional groups is needed, there are {len(shared)}")
    _one_stack(per_frame)
    common = {
        name: value for name, value in whole.items() if name not in (_SHARED, _PER_FRAME, "NumberOfFrames")
    }
    frames = [_flat(common, [*shared, group], index) for index, group in enumerate(per_frame, start=1)]
    for frame in frames:
        _original(frame)
    return frames


def _frames(whole: Tags) -> int:
    try:
        return int(number(whole, "NumberOfFrames") or 0)
    except BadTag:
        return 0


def _flat(common: Tags, groups: Sequence[Tags], index: int) -> Tags:
    frame: Dict[str, Any] = {**common, "FrameNumber": str(index)}
    for macro in _macros(groups):
        frame.update(macro)
    frame.update({classic: frame[name] for name, classic in _CLASSIC.items() if name in frame})
    return frame


def _macros(groups: Sequence[Tags]) -> Iterator[Tags]:
    """Yield the first item of each functional group, shared ones first, so that those of the frame overrule them."""
    for group in groups:
        for name in _GROUPS:
            yield from items(group, name)[:1]


def _one_stack(per_frame: Sequence[Tags]) -> None:
    stacks = {text(item, "StackID") for group in per_frame for item in items(group, "FrameContentSequence")}
    if len(stacks) > 1:
        raise Refused(
            "multi-stack",
            f"all frames must belong to one stack, there are {len(stacks)}; let the scanner send one series for each",
        )


def _original(frame: Tags) -> None:
    contrast = values(frame, "ImageType")[3:4]
    if contrast not in ((), ("",), ("NONE",)):
        raise Refused("derived", f"Frame Type must say NONE in its value 4, got {contrast[0][:16]}")
    if values(frame, "VolumetricProperties") not in ((), ("VOLUME",)):
        _refuse_kind("frames must sample a volume, Volumetric Properties says that some do not")


def _refuse_kind(came: str) -> NoReturn:
    raise Refused("enhanced-not-supported", f"{came}; send classic slices")

"""Small Enhanced CT images, made of the same slices as the classic series in `series`."""

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedCTImageStorage, generate_uid
from tests.support.dicom.series import Spec, make_series

_MOVED = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "WindowCenter", "WindowWidth",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "KVP", "XRayTubeCurrent", "ExposureTime", "Exposure", "CTDIvol",
    "CTDIPhantomTypeCodeSequence", "ConvolutionKernel", "AcquisitionNumber", "AcquisitionDate", "AcquisitionTime",
    "BodyPartExamined", "SliceLocation", "ImageComments",
)  # fmt: skip
"""What a classic image says of itself, and an enhanced one in its functional groups."""


def make_enhanced(spec: Spec | None = None, order: Sequence[int] | None = None) -> Dataset:
    """One instance with all slices of a series as frames.

    Args:
        spec: of the series.
        order: which slice, in z order, each frame is; as they come by default.
    """
    spec = spec or Spec()
    slices = make_series(spec)
    order = range(len(slices)) if order is None else order
    chosen = [slices[index] for index in order]
    dataset = slices[0]
    shared, frames = _shared(dataset), [_per_frame(one, number) for number, one in enumerate(chosen, start=1)]
    for keyword in _MOVED:
        if keyword in dataset:
            del dataset[keyword]
    dataset.SOPClassUID = EnhancedCTImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[spec.uid, str(spec.seed), "enhanced"])
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.VolumetricProperties, dataset.PixelPresentation = "VOLUME", "MONOCHROME"
    dataset.VolumeBasedCalculationTechnique = "NONE"
    dataset.InstanceNumber, dataset.NumberOfFrames = 1, len(chosen)
    dataset.AcquisitionDateTime, dataset.AcquisitionDuration = "20240203101300", 2.5
    dataset.ContentQualification, dataset.BurnedInAnnotation = "PRODUCT", "NO"
    dataset.LossyImageCompression, dataset.PresentationLUTShape = "00", "IDENTITY"
    dataset.SoftwareVersions = "1.0"
    dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence = (
        Items([shared]),
        Items(frames),
    )
    _dimensions(dataset)
    dataset.add_new("PixelData", "OW", np.concatenate([spec.stored[index] for index in order]).tobytes())
    return dataset


def group(dataset: Dataset, keyword: str, **attributes: object) -> None:
    """Add a functional group of one item to a dataset."""
    item = Dataset()
    for name, value in attributes.items():
        setattr(item, name, value)
    setattr(dataset, keyword, Items([item]))


def _shared(one: Dataset) -> Dataset:
    shared = Dataset()
    spacing, thickness = one.PixelSpacing, one.SliceThickness
    group(shared, "PixelMeasuresSequence", PixelSpacing=spacing, SliceThickness=thickness)
    group(shared, "PlaneOrientationSequence", ImageOrientationPatient=one.ImageOrientationPatient)
    group(shared, "CTXRayDetailsSequence", KVP=one.KVP, FocalSpots=1.2, FilterType="NONE")
    group(
        shared,
        "CTReconstructionSequence",
        ConvolutionKernel=one.ConvolutionKernel,
        ReconstructionDiameter=350.0,
    )
    group(shared, "FrameVOILUTSequence", WindowCenter=one.WindowCenter, WindowWidth=one.WindowWidth)
    group(
        shared, "CTImageFrameTypeSequence", FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        VolumetricProperties="VOLUME", PixelPresentation="MONOCHROME", VolumeBasedCalculationTechnique="NONE",
    )  # fmt: skip
    group(
        shared, "PixelValueTransformationSequence", RescaleIntercept=one.RescaleIntercept,
        RescaleSlope=one.RescaleSlope, RescaleType="HU",
    )  # fmt: skip
    return shared


def _per_frame(one: Dataset, number: int) -> Dataset:
    frame = Dataset()
    group(frame, "PlanePositionSequence", ImagePositionPatient=one.ImagePositionPatient)
    group(
        frame, "FrameContentSequence", StackID="1", InStackPositionNumber=number, DimensionIndexValues=[1, number],
        FrameAcquisitionNumber=3, FrameAcquisitionDateTime=f"20240203{one.AcquisitionTime}",
    )  # fmt: skip
    group(
        frame, "CTExposureSequence", ExposureTimeInms=500.0, XRayTubeCurrentInmA=float(one.XRayTubeCurrent),
        ExposureInmAs=15.25, CTDIvol=one.CTDIvol, CTDIPhantomTypeCodeSequence=one.CTDIPhantomTypeCodeSequence,
    )  # fmt: skip
    return frame


def _dimensions(dataset: Dataset) -> None:
    uid = generate_uid(entropy_srcs=["dimensions"])
    group(dataset, "DimensionOrganizationSequence", DimensionOrganizationUID=uid)
    items = []
    for pointer in (0x00209056, 0x00209057):  # Stack ID, In-Stack Position Number
        item = Dataset()
        item.DimensionOrganizationUID = uid
        item.DimensionIndexPointer, item.FunctionalGroupPointer = pointer, 0x00209111
        items.append(item)
    dataset.DimensionIndexSequence = Items(items)

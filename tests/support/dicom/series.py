"""Small CT series made with pydicom alone, so that the engine's own writer is never both question and answer.

The one maker of them: what the service's and the plugin's tests want otherwise is a `Spec` of theirs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.8, 0.6, 0.0, -0.48, 0.64, 0.6)
PRONE = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)

SECRETS = ("Doe^Jane", "PID-7788", "19571231", "ACC-4711", "Dr^House", "Jane was here")
"""What the made-up headers say about the patient, and no message may repeat."""


@dataclass(frozen=True)
class Spec:
    """Shape, place and encoding of a series; the defaults are an ordinary axial chest CT, only smaller."""

    shape: tuple[int, int, int] = (12, 32, 40)
    spacing: tuple[float, float, float] = (2.5, 0.7, 0.6)
    origin: tuple[float, float, float] = (-100.25, -90.5, 33.125)
    orientation: tuple[float, ...] = AXIAL
    descending: bool = False
    signed: bool = False
    bits_stored: int = 12
    slope: float = 1.0
    intercept: float = -1024.0
    seed: int = 0
    uid: str = "series"
    extra: dict[str, object] = field(default_factory=dict)
    """Attributes of every slice, put over the usual ones; None takes an attribute away."""

    @property
    def normal(self) -> np.ndarray:
        return np.cross(self.orientation[:3], self.orientation[3:])

    @cached_property
    def stored(self) -> np.ndarray:
        """Pixels as stored, in z order."""
        low, high = (
            (-(2 ** (self.bits_stored - 1)), 2 ** (self.bits_stored - 1) - 1) if self.signed else (0, 4000)
        )
        values = np.random.default_rng(self.seed).integers(max(low, -24), min(high, 3000), self.shape)
        return values.astype("<i2" if self.signed else "<u2")

    @property
    def hu(self) -> np.ndarray:
        return self.stored.astype(np.float32) * np.float32(self.slope) + np.float32(self.intercept)


def make_series(spec: Spec | None = None) -> list[Dataset]:
    """One dataset per slice in the order in which they were scanned."""
    spec = spec or Spec()
    slices = [make_slice(spec, index) for index in range(spec.shape[0])]
    ordered = slices[::-1] if spec.descending else slices
    for number, dataset in enumerate(ordered, start=1):
        dataset.InstanceNumber = number
    return ordered


def save(datasets: Sequence[Dataset], folder: Path, syntax: UID = ExplicitVRLittleEndian) -> Path:
    """Write files whose names sort neither by position nor by number."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, dataset in enumerate(datasets):
        write(dataset, folder / f"IM{(index * 7) % len(datasets):03d}_{index}", syntax)
    return folder


def write(dataset: Dataset, path: Path, syntax: UID = ExplicitVRLittleEndian) -> None:
    if dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian:
        dataset.file_meta.TransferSyntaxUID = syntax
    dcmwrite(path, dataset, enforce_file_format=True)


def edited(
    edit: Callable[[Dataset], object], which: slice = slice(None), spec: Spec | None = None
) -> list[Dataset]:
    """A series after an edit of some of its slices."""
    datasets = make_series(spec)
    for dataset in datasets[which]:
        edit(dataset)
    return datasets


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def make_slice(spec: Spec, index: int) -> Dataset:
    """The slice at an index along the normal."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    _patient_and_study(dataset)
    _series(dataset, spec)
    _acquisition(dataset, index)
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[spec.uid, str(spec.seed), str(index)])
    dataset.ImagePositionPatient = [
        float(v) for v in np.add(spec.origin, index * spec.spacing[0] * spec.normal)
    ]
    dataset.ImageOrientationPatient = list(spec.orientation)
    dataset.PixelSpacing = [spec.spacing[1], spec.spacing[2]]
    dataset.SliceThickness = spec.spacing[0]
    _pixels(dataset, spec, index)
    for keyword, value in spec.extra.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def _patient_and_study(dataset: Dataset) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = SECRETS[:3]
    dataset.PatientSex = "F"
    dataset.AccessionNumber, dataset.ReferringPhysicianName, dataset.ImageComments = SECRETS[3:]
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.StudyID = "77"
    dataset.StudyDate, dataset.StudyTime = "20240203", "101112"
    dataset.StudyDescription = "Thorax für Müller"


def _series(dataset: Dataset, spec: Spec) -> None:
    dataset.SOPClassUID = CTImageStorage
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[spec.uid])
    dataset.SeriesNumber = 4
    dataset.SeriesDescription = "Lunge 2,5 mm"
    dataset.SeriesDate, dataset.SeriesTime = "20240203", "101213"
    dataset.Manufacturer = "ACME"
    dataset.ManufacturerModelName = "Scanner 3000"
    dataset.DeviceSerialNumber = "12345"
    dataset.StationName = "CT1"
    dataset.InstitutionName = "General Hospital"
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    dataset.PositionReferenceIndicator = "SN"
    dataset.PatientPosition = "HFS"
    dataset.BodyPartExamined = "CHEST"


def _acquisition(dataset: Dataset, index: int) -> None:
    dataset.AcquisitionNumber = 1
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20240203", f"1013{index % 60:02d}"
    dataset.ContentDate, dataset.ContentTime = "20240203", f"1014{index % 60:02d}"
    dataset.KVP = 100
    dataset.XRayTubeCurrent = 30 + index
    dataset.ExposureTime = 500
    dataset.Exposure = 15
    dataset.ConvolutionKernel = "B60f"
    dataset.CTDIvol = 0.9
    dataset.CTDIPhantomTypeCodeSequence = Items([code("113691", "DCM", "IEC Body Dosimetry Phantom")])
    dataset.WindowCenter, dataset.WindowWidth = -600, 1600


def _pixels(dataset: Dataset, spec: Spec, index: int) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = spec.shape[1:]
    dataset.BitsAllocated = 16
    dataset.BitsStored = spec.bits_stored
    dataset.HighBit = spec.bits_stored - 1
    dataset.PixelRepresentation = int(spec.signed)
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = spec.slope, spec.intercept, "HU"
    dataset.add_new("PixelData", "OW", spec.stored[index].tobytes())

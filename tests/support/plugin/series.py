"""Small CT series as DICOM data sets and as the tags that Orthanc shows of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

Change = Callable[[int, Dataset], None]


def ct_series(
    slices: int = 12, spacing: float = 5.0, change: Change | None = None, seed: int = 0
) -> list[Dataset]:
    """A low-dose axial CT of 16 x 16 pixels.

    Args:
        slices: how many.
        spacing: distance of slice centres, mm.
        change: called with index and data set of every slice, to make it unusual.
        seed: of the pixels.
    """
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    made = []
    for index in range(slices):
        dataset = ct_slice(index, spacing, seed)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = (
            study,
            series,
            frame,
        )
        if change is not None:
            change(index, dataset)
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        made.append(dataset)
    return made


def ct_slice(index: int, spacing: float, seed: int) -> Dataset:
    """One slice, without the UIDs of study, series and frame of reference."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate, dataset.PatientSex = (
        "TEST-1",
        "Test^Case",
        "",
        "",
    )
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = (
        "20260102",
        "101112",
        "1",
        "",
    )
    dataset.ReferringPhysicianName = ""
    dataset.Modality, dataset.Manufacturer = "CT", "Scanner Works"
    dataset.SeriesNumber, dataset.InstanceNumber = 2, index + 1
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient = [-5.6, -5.6, index * spacing]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.7], spacing
    dataset.Rows = dataset.Columns = 16
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
    dataset.CTDIvol = 1.4
    pixels = np.random.default_rng([seed, index]).integers(0, 2000, (16, 16)).astype("<i2")
    dataset.PixelData = pixels.tobytes()
    return dataset


YEN_SIGN_FOR_BACKSLASH = ("ISO_IR 13", "ISO 2022 IR 13")


def simplified_tags(dataset: Dataset) -> dict[str, Any]:
    """The data set's attributes in the form of Orthanc's /instances/{id}/simplified-tags.

    tests/contract/test_character_sets.py compares the separator of values with a real Orthanc's.
    """
    terms = dataset.get("SpecificCharacterSet") or ""
    first = terms if isinstance(terms, str) else terms[0]
    return _shown(dataset, "\u00a5" if first in YEN_SIGN_FOR_BACKSLASH else "\\")


def _shown(dataset: Dataset, separator: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for element in dataset:
        if element.VR == "SQ":
            shown[element.keyword] = [_shown(item, separator) for item in element.value]
        elif element.keyword == "PixelData":
            shown[element.keyword] = None
        else:
            values = [element.value] if element.VM <= 1 else list(element.value)
            shown[element.keyword] = separator.join("" if value is None else str(value) for value in values)
    return shown

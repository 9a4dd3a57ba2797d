"""Small CT series as a scanner sends them to the plugin, and as the tags that Orthanc shows of them."""

from collections.abc import Callable
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from tests.support.dicom.series import Spec, make_series, make_slice

Change = Callable[[int, Dataset], None]
_SILENT = (
    *("StudyDescription", "SeriesDescription", "BodyPartExamined", "InstitutionName", "StationName"),
    *("ManufacturerModelName", "ConvolutionKernel", "KVP", "Exposure", "ExposureTime", "XRayTubeCurrent"),
    *("CTDIPhantomTypeCodeSequence", "AcquisitionNumber", "AcquisitionDate", "AcquisitionTime"),
    *("WindowCenter", "WindowWidth", "ImageComments"),
)
"""What rules and pages look at, and only a test's own change says."""
_HEADER: dict[str, object] = {
    **dict.fromkeys(_SILENT),
    "PatientID": "TEST-1",
    "PatientName": "Test^Case",
    "PatientBirthDate": "",
    "PatientSex": "",
    "StudyDate": "20260102",
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
    "StudyID": "1",
    "Manufacturer": "Scanner Works",
    "SeriesNumber": 2,
    "CTDIvol": 1.4,
}


def ct_series(
    slices: int = 12, spacing: float = 5.0, change: Change | None = None, seed: int = 0
) -> list[Dataset]:
    """A low-dose axial CT of 16 x 16 pixels, with UIDs of its own.

    Args:
        slices: how many.
        spacing: distance of slice centres, mm.
        change: called with index and data set of every slice, to make it unusual.
        seed: of the pixels.
    """
    made = make_series(_spec(slices, spacing, seed))
    for index, dataset in enumerate(made):
        if change is not None:
            change(index, dataset)
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return made


def ct_slice(index: int, spacing: float, seed: int) -> Dataset:
    """One slice, of a series of its own."""
    dataset = make_slice(_spec(index + 1, spacing, seed), index)
    dataset.InstanceNumber = index + 1
    return dataset


def _spec(slices: int, spacing: float, seed: int) -> Spec:
    header = _HEADER | {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    return Spec(
        (slices, 16, 16),
        (spacing, 0.7, 0.7),
        (-5.6, -5.6, 0.0),
        signed=True,
        bits_stored=16,
        seed=seed,
        uid=generate_uid(),
        extra=header,
    )


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

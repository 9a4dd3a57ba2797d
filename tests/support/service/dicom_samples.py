"""Small CT series for the service's tests, as the bytes that an archive holds."""

import io

import pydicom
from pydicom.dataset import Dataset
from tests.support.dicom.series import Spec, make_series

STUDY = "2.25.1000"
SERIES = "2.25.2000"
PATIENT = "DOE^JANE"
_HEADER = {"StudyInstanceUID": STUDY, "PatientName": PATIENT, "SeriesDescription": "LUNG SCREEN"}


def ct_series(slices: int = 6, size: int = 16, series: str = SERIES) -> dict[str, bytes]:
    """SOP Instance UID to DICOM file of a regular axial stack, 5 mm apart."""
    header = _HEADER | {"SeriesInstanceUID": series}
    spec = Spec((slices, size, size), (5.0, 1.0, 1.0), (-8.0, -8.0, 0.0), bits_stored=16, extra=header)
    return {f"{series}.{z}": _encode_as(one, f"{series}.{z}") for z, one in enumerate(make_series(spec), 1)}


def _encode_as(dataset: Dataset, uid: str) -> bytes:
    dataset.SOPInstanceUID = uid
    return encode(dataset)


def encode(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()

"""Small CT series for the service's tests."""

import io

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

STUDY = "2.25.1000"
SERIES = "2.25.2000"
PATIENT = "DOE^JANE"


def ct_series(slices: int = 6, size: int = 16, series: str = SERIES) -> dict[str, bytes]:
    """SOP Instance UID to DICOM file of a regular axial stack, 5 mm apart."""
    voxels = np.random.default_rng(0).integers(0, 2000, (slices, size, size)).astype(np.uint16)
    return {f"{series}.{z + 1}": encode(ct_slice(voxels[z], z, series)) for z in range(slices)}


def ct_slice(pixels: np.ndarray, z: int, series: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"{series}.{z + 1}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = STUDY, series, "2.25.3000"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = PATIENT, "1", "", "O"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.ReferringPhysicianName = "20260101", "120000", "", ""
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", 2, z + 1
    ds.Modality, ds.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.Manufacturer, ds.ManufacturerModelName, ds.PatientPosition = "Test", "Phantom", "HFS"
    ds.SeriesDescription, ds.PositionReferenceIndicator, ds.KVP = "LUNG SCREEN", "", 120
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-8.0, -8.0, 5.0 * z], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness, ds.AcquisitionNumber = [1.0, 1.0], 5.0, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.PixelData = pixels.tobytes()
    return ds


def encode(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()

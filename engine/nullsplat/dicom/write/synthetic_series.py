"""Writes a volume as an original CT series, as a scanner would have sent it; for the demo and for tests."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage

from nullsplat.core.files import make_folder
from nullsplat.core.volume import Volume
from nullsplat.dicom.uids import hashed_uid
from nullsplat.dicom.write.files import write_slices

_ROTATION_MS = 500
_DETECTOR_ROWS, _DETECTOR_ROW_MM = 64, 0.625


@dataclass(frozen=True)
class SeriesDescription:
    """What the headers of a made-up series say; the defaults describe low-dose lung screening.

    Attributes:
        study_description: free text, as are the two after it.
        series_description: see there.
        protocol_name: see there.
        body_part: a defined term such as CHEST.
        ctdi_vol_mgy: CTDIvol in the 32 cm body phantom, mGy.
        exposure_mas: tube current-time product, mAs.
        spiral_pitch: of a helical scan; None says nothing of how the patient was scanned.
        slice_thickness_mm: nominal thickness, by default the distance of the slices, which comes from the volume.
        patient_name: of a patient who does not exist.
        patient_id: see there.
        acquired: date and time of everything.
        seed: decides all UIDs.
    """

    study_description: str = "CT CHEST LOW DOSE"
    series_description: str = "LUNG SCREENING 5.0"
    protocol_name: str = "LDCT LUNG SCREENING"
    body_part: str = "CHEST"
    ctdi_vol_mgy: float = 1.2
    exposure_mas: int = 20
    spiral_pitch: float | None = None
    slice_thickness_mm: float | None = None
    patient_name: str = "Demo^NullSplat"
    patient_id: str = "NULLSPLAT-DEMO"
    acquired: datetime = datetime(2025, 1, 1, 9)
    seed: int = 0


def write_ct_series(volume: Volume, folder: Path, description: SeriesDescription) -> list[Path]:
    """Write one file per slice, in z order; the same arguments give the same bytes.

    Args:
        volume: HU; clipped to [-1024, 31743] and rounded.
        folder: made if missing.
        description: everything else.
    Raises:
        StorageError: the folder cannot be written.
    """
    make_folder(folder)
    template = ct_template(description)
    thickness = description.slice_thickness_mm or volume.geometry.spacing[0]
    return write_slices(
        volume,
        folder,
        template,
        lambda index: hashed_uid("synthesis", description.seed, "slice", index),
        thickness,
    )


def ct_template(description: SeriesDescription) -> Dataset:
    """All attributes that the slices of the series share."""
    template = Dataset()
    _set_patient_and_study(template, description)
    _set_series(template, description)
    _set_acquisition(template, description)
    return template


def _set_patient_and_study(template: Dataset, description: SeriesDescription) -> None:
    template.SpecificCharacterSet = "ISO_IR 192"
    template.PatientName = description.patient_name
    template.PatientID = description.patient_id
    template.PatientBirthDate = ""
    template.PatientSex = "O"
    template.StudyInstanceUID = hashed_uid("synthesis", description.seed, "study")
    template.StudyID = "1"
    template.StudyDescription = description.study_description
    template.AccessionNumber = ""
    template.ReferringPhysicianName = ""
    for event in ("Study", "Series", "Acquisition", "Content"):
        setattr(template, f"{event}Date", description.acquired.strftime("%Y%m%d"))
        setattr(template, f"{event}Time", description.acquired.strftime("%H%M%S"))


def _set_series(template: Dataset, description: SeriesDescription) -> None:
    template.SOPClassUID = CTImageStorage
    template.Modality = "CT"
    template.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    template.SeriesInstanceUID = hashed_uid("synthesis", description.seed, "series")
    template.SeriesNumber = 2
    template.SeriesDescription = description.series_description
    template.ProtocolName = description.protocol_name
    template.BodyPartExamined = description.body_part
    template.PatientPosition = "HFS"
    template.FrameOfReferenceUID = hashed_uid("synthesis", description.seed, "frame of reference")
    template.PositionReferenceIndicator = ""
    template.Manufacturer = "Simulated scanner"
    template.ManufacturerModelName = "Low-dose simulation"
    template.BurnedInAnnotation = "NO"


def _set_acquisition(template: Dataset, description: SeriesDescription) -> None:
    template.AcquisitionNumber = 1
    template.KVP = 120
    template.ExposureTime = _ROTATION_MS
    template.XRayTubeCurrent = round(description.exposure_mas * 1000 / _ROTATION_MS)
    template.Exposure = round(description.exposure_mas)
    if description.spiral_pitch is not None:
        template.ScanOptions = "HELIX"
        template.RevolutionTime = _ROTATION_MS / 1000
        template.SingleCollimationWidth = _DETECTOR_ROW_MM
        template.TotalCollimationWidth = _DETECTOR_ROWS * _DETECTOR_ROW_MM
        template.TableFeedPerRotation = description.spiral_pitch * template.TotalCollimationWidth
        template.SpiralPitchFactor = description.spiral_pitch
    template.GantryDetectorTilt = 0
    template.ConvolutionKernel = "STANDARD"
    template.CTDIvol = description.ctdi_vol_mgy
    template.CTDIPhantomTypeCodeSequence = [CodedConcept.from_code(codes.DCM.IECBodyDosimetryPhantom)]
    template.WindowCenter = [-600, 40]
    template.WindowWidth = [1500, 400]
    template.WindowCenterWidthExplanation = ["LUNG", "SOFT TISSUE"]

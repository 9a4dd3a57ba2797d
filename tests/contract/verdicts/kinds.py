"""Rows about what kind of images these are, and whose."""

from copy import deepcopy

from pydicom.dataset import Dataset
from pydicom.uid import (
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
    XRayRadiationDoseSRStorage,
    generate_uid,
)
from tests.contract.verdicts.table import (
    Row,
    Series,
    each,
    every,
    kept,
    odd,
    raw,
    row,
    sequence,
    some,
    syntax,
    then,
    upper,
    without,
)
from tests.support.dicom.series import Spec, make_series

AXIAL = ["ORIGINAL", "PRIMARY", "AXIAL"]
PLUGIN_WANTS_ORIGINAL = "the node works unattended and takes only what says that it is original"
HALVES = "Orthanc keeps the two as two series, each of which has every other slice"
PATIENTS_APART = (
    "Orthanc keeps two patients' slices as two series, each of which is good; the engine fetches both"
)

STUDIES_APART = PATIENTS_APART.replace("patients'", "studies'")


def other_series(_: Series) -> Series:
    return make_series(Spec(shape=(4, 8, 8), spacing=(5.0, 0.7, 0.7), uid="another series"))


def report(series: Series) -> Series:
    """A structured report, as scanners send with a scan."""
    made = deepcopy(series[0])
    made.SOPClassUID, made.SOPInstanceUID = (
        XRayRadiationDoseSRStorage,
        generate_uid(entropy_srcs=[made.SOPInstanceUID]),
    )
    del made.PixelData, made.ImagePositionPatient, made.ImageOrientationPatient, made.ImageType
    return [made]


def energy(*values: str) -> list[str]:
    return [*AXIAL, *values]


OBJECTS = [
    row("a good series", "taken"),
    row("MR", "not-ct", every(Modality="MR", SOPClassUID=MRImageStorage)),
    row("CT of modality MR", "not-ct", every(Modality="MR")),
    row("PET that says CT", "not-ct", every(SOPClassUID=PositronEmissionTomographyImageStorage)),
    row("PT in the modality", "not-ct", every(Modality="PT")),
    row("secondary capture", "not-ct", every(SOPClassUID=SecondaryCaptureImageStorage)),
    row("one secondary capture at the end", "taken", some((5,), SOPClassUID=SecondaryCaptureImageStorage)),
    row("one secondary capture in place of a slice", "missing-slice", some((3,), SOPClassUID=SecondaryCaptureImageStorage)),
    row("a dose report beside the slices", "taken", then(report)),
    row("a dose report of another patient's name", "mixed-patient", then(report), some((6,), PatientName="Other^Person")),
    row("an ultrasound loop", "not-ct", every(Modality="US", SOPClassUID=UltrasoundMultiFrameImageStorage, NumberOfFrames=20)),
    row("no modality", "not-ct", without("Modality")),
    row("empty modality", "not-ct", every(Modality="")),
    row("modality in lower case", "taken", raw("Modality", "CS", b"ct")),
    row("modality padded with NUL", "taken", raw("Modality", "CS", b"CT\0\0")),
    row("no SOP class", "not-ct", without("SOPClassUID")),
    row("SOP class with letters", "not-ct", every(SOPClassUID="1.2.x")),
    row("classic slices that say Enhanced", "enhanced-not-supported", every(SOPClassUID=EnhancedCTImageStorage)),
    row("legacy converted", "enhanced-not-supported", every(SOPClassUID=LegacyConvertedEnhancedCTImageStorage)),
    row("two frames in a classic slice", "enhanced-not-supported", some((2,), NumberOfFrames=2)),
    row("one frame said to be one", "taken", every(NumberOfFrames=1)),
    row("localizer", "localizer", every(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])),
    row("one localizer", "taken", some((0,), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])),
    row("localizer in value 4", "localizer", every(ImageType=energy("LOCALIZER"))),
    row("localizer in lower case", "localizer", raw("ImageType", "CS", b"original\\primary\\localizer")),
    row("derived", "taken", every(ImageType=["DERIVED", "SECONDARY", "REFORMATTED"])),
    row("derived primary axial", "taken", every(ImageType=["DERIVED", "PRIMARY", "AXIAL"])),
    row("derived MPR", "taken", every(ImageType=["DERIVED", "SECONDARY", "MPR"])),
    row("derived MIP", "derived", every(ImageType=["DERIVED", "SECONDARY", "MIP"])),
    row("derived MIP on one slice", "derived", some((5,), ImageType=["DERIVED", "SECONDARY", "MIP"])),
    row("classic projections", "derived", every(VolumeBasedCalculationTechnique="MAX_IP")),
    row("classic projections in lower case", "derived", raw("VolumeBasedCalculationTechnique", "CS", b"max_ip")),
    row("derived perfusion", "derived", every(ImageType=["DERIVED", "PRIMARY", "PERFUSION", "RCBF"])),
    row("a copy compressed with loss", "taken", every(ImageType=["DERIVED", "PRIMARY", "AXIAL"], LossyImageCompression="01")),
    row("derived in lower case", "taken", raw("ImageType", "CS", b"derived\\primary\\axial")),
    row("one derived slice", "taken", some((5,), ImageType=["DERIVED", "PRIMARY", "AXIAL"])),
    row("original in lower case", "taken", raw("ImageType", "CS", b"original\\primary\\axial")),
    row("original secondary", "taken", every(ImageType=["ORIGINAL", "SECONDARY", "AXIAL"])),
    row("image type padded", "taken", raw("ImageType", "CS", b"ORIGINAL\\PRIMARY\\AXIAL\0")),
    row("two values in the image type", "taken", every(ImageType=["ORIGINAL", "PRIMARY"])),
    row("no image type", "taken", without("ImageType"), plugin="derived", why=PLUGIN_WANTS_ORIGINAL),
    row("empty image type", "taken", every(ImageType=""), plugin="derived", why=PLUGIN_WANTS_ORIGINAL),
    row("image type of neither kind", "taken", every(ImageType=["MIXED", "PRIMARY"]), plugin="derived", why=PLUGIN_WANTS_ORIGINAL),
    row("our manufacturer", "ours", every(Manufacturer="NullSplat")),
    row("our manufacturer on one slice", "ours", some((5,), Manufacturer="NullSplat")),
    row("our model", "ours", every(ManufacturerModelName="NullSplat")),
    row("our equipment contributed", "ours", every(ContributingEquipmentSequence=sequence(Manufacturer="NullSplat"))),
    row("other equipment contributed", "taken", every(ContributingEquipmentSequence=sequence(Manufacturer="ACME"))),
    row("our result, sent back", "ours", every(Manufacturer="NullSplat", ImageType=["DERIVED", "SECONDARY", "AXIAL"])),
    row("for processing", "for-processing", every(PresentationIntentType="FOR PROCESSING")),
    row("one for processing", "for-processing", some((1,), PresentationIntentType="FOR PROCESSING")),
    row("for presentation", "taken", every(PresentationIntentType="FOR PRESENTATION")),
]  # fmt: skip

ENERGIES = [
    row("multi-energy", "multi-energy", every(MultienergyCTAcquisition="YES")),
    row("multi-energy in lower case", "multi-energy", raw("MultienergyCTAcquisition", "CS", b"yes ")),
    row("not multi-energy", "taken", every(MultienergyCTAcquisition="NO")),
    row("multi-energy left empty", "taken", every(MultienergyCTAcquisition="")),
    row("multi-energy sequence", "multi-energy", every(MultienergyCTAcquisitionSequence=sequence(MultienergyAcquisitionDescription="DE"))),
    row("multi-energy sequence of one empty item", "multi-energy", every(MultienergyCTAcquisitionSequence=[Dataset()])),
    row("multi-energy sequence without items", "taken", every(MultienergyCTAcquisitionSequence=[])),
    *(
        row(f"image type {value}", "multi-energy", every(ImageType=energy(value)))
        for value in ("VMI", "MAT_SPECIFIC", "MAT_REMOVED", "MAT_FRACTIONAL", "EFF_ATOMIC_NUM", "ELECTRON_DENSITY", "MAT_MODIFIED", "MAT_VALUE_BASED")
    ),
    row("image type VMI in value 5", "multi-energy", every(ImageType=energy("X", "VMI"))),
    row("image type VMI on one slice", "multi-energy", some((4,), ImageType=energy("VMI"))),
    row("image type VMI in value 3", "taken", every(ImageType=["ORIGINAL", "PRIMARY", "VMI"])),
    row("a maker's word in value 4", "taken", every(ImageType=energy("CT_SOM5 SPI"))),
]  # fmt: skip

IDENTITY = [
    row("no SOP instance UID", "incomplete-header", without("SOPInstanceUID"), plugin="not-stored",
        why="Orthanc has no place for an instance without a UID"),
    row("SOP instance UID with a letter", "incomplete-header", each("SOPInstanceUID", lambda i: f"1.2.3.a.{i}")),
    row("one SOP instance UID with a letter", "incomplete-header", some((3,), SOPInstanceUID="1.2.3.anon")),
    row("a name for a SOP instance UID", "incomplete-header", some((3,), SOPInstanceUID="Doe")),
    row("SOP instance UIDs with leading zeros", "taken", each("SOPInstanceUID", lambda i: f"1.2.03.0{i}")),
    row("one SOP instance UID for all", "duplicate-instances", every(SOPInstanceUID="1.2.3.4"), plugin="too-few-slices",
        why="Orthanc keeps the first of several instances with one UID, so the plugin sees one slice"),
    row("a copy of a file", "duplicate-instances", then(lambda series: series[3:4]), plugin="taken",
        why="Orthanc keeps one of two copies, so the plugin sees a good series"),
    row("no study instance UID", "incomplete-header", without("StudyInstanceUID"), plugin="not-stored",
        why="Orthanc has no place for an instance without a UID"),
    row("study instance UID with a letter", "incomplete-header", every(StudyInstanceUID="1.2.anonymised")),
    row("two studies", "mixed-study", upper(StudyInstanceUID="1.2.3.4.5"), plugin="taken", why=STUDIES_APART),
    row("two studies alternate", "mixed-study", odd(StudyInstanceUID="1.2.3.4.6"), plugin="slice-gaps",
        why=HALVES),
    row("series instance UID with a letter", "incomplete-header", every(SeriesInstanceUID="1.2.series")),
    row("two series", "mixed-series", then(other_series), plugin="taken", why="Orthanc keeps two series as two, each of which is good"),
    row("two patients", "mixed-patient", upper(PatientID="OTHER", PatientName="Other^Person"), plugin="taken", why=PATIENTS_APART),
    row("two patients alternate", "mixed-patient", odd(PatientID="OTHER", PatientName="Other^Person"), plugin="slice-gaps",
        why=HALVES),
    row("a corrected patient ID in half", "mixed-patient", upper(PatientID="PID-7788-1"), plugin="taken", why=PATIENTS_APART),
    row("two names under one patient ID", "mixed-patient", upper(PatientName="Other^Person")),
    row("two birth dates under one patient ID", "mixed-patient", upper(PatientBirthDate="19800101")),
    row("a name in other letters", "taken", upper(PatientName="DOE^JANE")),
    row("a name with empty components", "taken", upper(PatientName="Doe^Jane^^")),
    row("a name that some slices lack", "taken", upper(PatientName="")),
    row("a birth date that some slices lack", "taken", upper(PatientBirthDate="")),
    row("no patient ID", "taken", every(PatientID="")),
    row("no frame of reference", "taken", without("FrameOfReferenceUID")),
    row("empty frame of reference", "taken", every(FrameOfReferenceUID="")),
    row("frame of reference with a letter", "incomplete-header", every(FrameOfReferenceUID="1.2.frame")),
    row("frame of reference missing on one", "incomplete-header", without("FrameOfReferenceUID", which=range(3, 4))),
    row("two frames of reference", "mixed-frame-of-reference", upper(FrameOfReferenceUID="1.2.3")),
    row("one other frame of reference", "mixed-frame-of-reference", some((2,), FrameOfReferenceUID="1.2.3")),
    row("frame of reference with NULs", "taken", raw("FrameOfReferenceUID", "UI", b"1.2.3.4\0\0\0")),
    row("two slices", "too-few-slices", kept(lambda i: i < 2)),
    row("one slice", "too-few-slices", kept(lambda i: i < 1)),
    row("three slices", "taken", kept(lambda i: i < 3)),
    row("GE's private transfer syntax", "unsupported-transfer-syntax", syntax("1.2.840.113619.5.2"), plugin="not-stored",
        why="Orthanc does not store it"),
    row("a private transfer syntax", "unsupported-transfer-syntax", syntax("1.3.46.670589.33.1.4.1")),
    row("a private transfer syntax in one slice", "unsupported-transfer-syntax", syntax("1.3.46.670589.33.1.4.1", which=range(4, 5))),
    row("a video", "unsupported-transfer-syntax", syntax("1.2.840.10008.1.2.4.100", encapsulated=True)),
    row("JPIP", "unsupported-transfer-syntax", syntax("1.2.840.10008.1.2.4.94", encapsulated=True)),
]  # fmt: skip

ROWS: list[Row] = [*OBJECTS, *ENERGIES, *IDENTITY]

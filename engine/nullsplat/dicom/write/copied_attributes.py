"""What a derived series takes over from its source: a list of what still holds, everything else stays behind.

A list of what to drop would have to know every private, stale or future attribute; this one only names attributes
that mean the same for a resampled image. What is left out on purpose: overlays and icons (drawn on the old grid),
digital signatures and comments (made for the old object), references to other images, the performed procedure
step (which lists what the scanner made), pixel statistics and padding, the tilt of the gantry (the slices of a result
always stack along their normal, and readers that believe the tag would straighten them again).
Source: PS3.3 A.3.3 (modules of the CT Image IOD).
"""

import copy
from collections.abc import Iterable

from pydicom.charset import convert_encodings, default_encoding, python_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from nullsplat.dicom.headers import quiet_pydicom, words
from nullsplat.dicom.write.repairs import repaired, windows

_PATIENT = """
    PatientName PatientID IssuerOfPatientID IssuerOfPatientIDQualifiersSequence TypeOfPatientID PatientBirthDate
    PatientBirthTime PatientSex OtherPatientIDs OtherPatientIDsSequence OtherPatientNames ReferencedPatientSequence
    EthnicGroup PatientComments PatientSpeciesDescription PatientSpeciesCodeSequence PatientBreedDescription
    PatientBreedCodeSequence BreedRegistrationSequence ResponsiblePerson ResponsiblePersonRole
    ResponsibleOrganization QualityControlSubject PatientIdentityRemoved DeidentificationMethod
    DeidentificationMethodCodeSequence LongitudinalTemporalInformationModified
    ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName ClinicalTrialSiteID
    ClinicalTrialSiteName ClinicalTrialSubjectID ClinicalTrialSubjectReadingID ClinicalTrialTimePointID
    ClinicalTrialTimePointDescription ClinicalTrialCoordinatingCenterName
    ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialProtocolEthicsCommitteeApprovalNumber
"""
_STUDY = """
    StudyInstanceUID StudyDate StudyTime ReferringPhysicianName ReferringPhysicianIdentificationSequence
    ConsultingPhysicianName StudyID AccessionNumber IssuerOfAccessionNumberSequence StudyDescription
    PhysiciansOfRecord NameOfPhysiciansReadingStudy RequestingService ReferencedStudySequence
    ProcedureCodeSequence ReasonForPerformedProcedureCodeSequence AdmittingDiagnosesDescription
    AdmittingDiagnosesCodeSequence PatientAge PatientSize PatientWeight PatientBodyMassIndex SmokingStatus
    PregnancyStatus Occupation MedicalAlerts Allergies AdditionalPatientHistory AdmissionID
    IssuerOfAdmissionIDSequence ServiceEpisodeID ReasonForVisit PatientSexNeutered
"""
_PLACE = "TimezoneOffsetFromUTC InstitutionName InstitutionAddress InstitutionalDepartmentName"
_SERIES = """
    Laterality PerformingPhysicianName ProtocolName BodyPartExamined
    PatientPosition AnatomicalOrientationType OperatorsName RequestAttributesSequence
    FrameOfReferenceUID PositionReferenceIndicator
"""
_IMAGE = """
    AcquisitionNumber AcquisitionDate AcquisitionTime AcquisitionDateTime IrradiationEventUID
    QualityControlImage BurnedInAnnotation RecognizableVisualFeatures
    LossyImageCompressionRatio LossyImageCompressionMethod
    AnatomicRegionSequence PrimaryAnatomicStructureSequence
    ContrastBolusAgent ContrastBolusAgentSequence ContrastBolusRoute ContrastBolusAdministrationRouteSequence
    ContrastBolusVolume ContrastBolusStartTime ContrastBolusStopTime ContrastBolusTotalDose ContrastFlowRate
    ContrastFlowDuration ContrastBolusIngredient ContrastBolusIngredientConcentration
    KVP ScanOptions DataCollectionDiameter ReconstructionDiameter DistanceSourceToDetector
    DistanceSourceToPatient TableHeight RotationDirection ExposureTime XRayTubeCurrent
    Exposure ExposureInuAs FilterType GeneratorPower FocalSpots ConvolutionKernel RevolutionTime
    SingleCollimationWidth TotalCollimationWidth TableSpeed TableFeedPerRotation SpiralPitchFactor
    ExposureModulationType EstimatedDoseSaving DataCollectionCenterPatient ReconstructionTargetCenterPatient
    WaterEquivalentDiameter WaterEquivalentDiameterCalculationMethodCodeSequence
"""
STUDY_LEVEL = tuple(f"{_PATIENT} {_STUDY} {_PLACE}".split())
"""Means the same for every object of the study, images or not."""

SERIES_LEVEL = STUDY_LEVEL + tuple(_SERIES.split())
"""Equal in all instances of a series of images; taken from one header, so that they are equal."""

IMAGE_LEVEL = tuple(_IMAGE.split())
"""May change from slice to slice; taken from the nearest source slice."""

DOSE_INDEX = ("CTDIvol", "CTDIPhantomTypeCodeSequence")
"""A dose index means nothing without its phantom."""

WINDOW = ("WindowCenter", "WindowWidth")
"""In pairs, and only those that can be shown."""

OPTIONAL_WITH_WINDOW = ("WindowCenterWidthExplanation", "VOILUTFunction")

REQUIRED_OF_A_STUDY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName",
    "StudyID", "AccessionNumber",
)  # fmt: skip
"""Type 2 attributes: present in every object, empty where unknown."""

REQUIRED_OF_CT = (
    *REQUIRED_OF_A_STUDY,
    "PatientPosition",
    "PositionReferenceIndicator",
    "AcquisitionNumber",
    "KVP",
)
"""Likewise in every CT image."""


def carry(source: Dataset, target: Dataset, keywords: Iterable[str]) -> None:
    """Copy the attributes that are there and sound, or can be repaired, see `repairs`."""
    with quiet_pydicom():
        for keyword in keywords:
            tag = tag_for_keyword(keyword)
            sound = repaired(source[tag]) if tag is not None and tag in source else None
            if sound is not None:
                target[sound.tag] = copy.deepcopy(sound)


def carry_study_level(source: Dataset, target: Dataset) -> None:
    """Copy what every object of the study shares, and the character set if it is one.

    Texts were decoded by a name that is only misspelt, and then need a character set that can hold them. By any other
    name they were taken for Latin-1, and without a character set they get their own bytes back.
    """
    carry(source, target, STUDY_LEVEL)
    terms = words(source, "SpecificCharacterSet")
    if not any(terms):
        return  # an empty one means the default, which needs no attribute
    if all(term in python_encoding for term in terms):
        target.SpecificCharacterSet = copy.deepcopy(source.SpecificCharacterSet)
    elif _is_misspelt(terms):
        target.SpecificCharacterSet = "ISO_IR 192"


def _is_misspelt(terms: tuple[str, ...]) -> bool:
    """Whether pydicom found out which character set was meant."""
    with quiet_pydicom():
        return any(encoding != default_encoding for encoding in convert_encodings(list(terms)))


def carry_series_level(source: Dataset, target: Dataset) -> None:
    """Copy what all slices share."""
    carry_study_level(source, target)
    carry(source, target, SERIES_LEVEL)
    carry_body_part(source, target)


def carry_body_part(source: Dataset, target: Dataset) -> None:
    """Copy which part of the body it is.

    Laterality even if empty where that is unknown and so could be one of a pair (type 2C).
    """
    carry(source, target, ("BodyPartExamined", "Laterality"))
    if not target.get("BodyPartExamined") and "Laterality" not in target:
        target.Laterality = None


def carry_image_level(source: Dataset, target: Dataset) -> None:
    """Copy what belongs to one slice, pairs only as pairs."""
    carry(source, target, IMAGE_LEVEL)
    if all(_has_value(source, keyword) for keyword in DOSE_INDEX):
        carry(source, target, DOSE_INDEX)
        if any(keyword not in target for keyword in DOSE_INDEX):
            for keyword in DOSE_INDEX:
                target.pop(keyword, None)
    _carry_window(source, target)


def _carry_window(source: Dataset, target: Dataset) -> None:
    centres, widths = windows(source)
    if centres:
        target.WindowCenter, target.WindowWidth = centres, widths
        carry(source, target, OPTIONAL_WITH_WINDOW)
        explained = target.get("WindowCenterWidthExplanation")
        if explained and len(centres) != target["WindowCenterWidthExplanation"].VM:
            del target.WindowCenterWidthExplanation


def _has_value(source: Dataset, keyword: str) -> bool:
    """Whether an attribute is there and not empty; zero is a value."""
    value = source.get(keyword)
    return value is not None and (not hasattr(value, "__len__") or len(value) > 0)


def fill_required(target: Dataset, required: Iterable[str] = REQUIRED_OF_CT) -> None:
    """Add the type 2 attributes that the source lacks, empty."""
    for keyword in required:
        if keyword not in target:
            setattr(target, keyword, None)

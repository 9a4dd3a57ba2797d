"""Which DICOM images are radiographs that the prior can learn from, and for which reason the others are not."""

from enum import StrEnum

from jaxtyping import UInt8
from numpy import ndarray
from pydicom.dataset import Dataset

from nullsplat.core.errors import UnreadableFile
from nullsplat.dicom.headers import decode, number, quiet_pydicom, text
from nullsplat.prior.xray.radiograph_files import read_dataset

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class; the multi-frame ones of the family have one component more (PS3.4 B.5)."""


class Unusable(StrEnum):
    """Why an image is left out."""

    OTHER_MODALITY = "other-modality"
    SECONDARY_CAPTURE = "secondary-capture"
    MULTI_FRAME = "multi-frame"
    FOR_PROCESSING = "for-processing"
    """Raw detector values; the same exposure is there a second time, for presentation."""
    BURNED_IN_ANNOTATION = "burned-in-annotation"
    NO_PATIENT = "no-patient-id"
    """It could be of anybody, on either side of the validation split."""
    UNDECODABLE = "undecodable"
    NOT_DELIVERED = "not-delivered"
    """The archive lists it, but does not send it."""


class UnusableRadiograph(UnreadableFile):
    """An image that the prior cannot learn from; `reason` says why."""

    def __init__(self, reason: Unusable) -> None:
        super().__init__(f"a radiograph to learn from was needed, this image is not usable: {reason}")
        self.reason = reason


def unusable_kind(sop_class_uid: str, number_of_frames: float | None) -> Unusable | None:
    """What is known to be wrong with an image before it is fetched."""
    if sop_class_uid == SECONDARY_CAPTURE or sop_class_uid.startswith(f"{SECONDARY_CAPTURE}."):
        return Unusable.SECONDARY_CAPTURE
    if number_of_frames is not None and number_of_frames > 1:
        return Unusable.MULTI_FRAME
    return None


def read_radiograph(dataset: Dataset, modalities: frozenset[str]) -> tuple[UInt8[ndarray, "z u"], str]:
    """The image as the prior takes it, and the PatientID.

    Args:
        dataset: a DICOM image with pixels and file meta information; it is left as it is.
        modalities: those that are wanted.

    Raises:
        UnusableRadiograph: it must not or cannot be used.
    """
    header = decode(dataset)
    reason = _against(header, modalities)
    if reason is not None:
        raise UnusableRadiograph(reason)
    try:
        with quiet_pydicom():
            image = read_dataset(dataset)
    except UnreadableFile as error:
        raise UnusableRadiograph(Unusable.UNDECODABLE) from error
    return image, text(header, "PatientID")


def _against(header: Dataset, modalities: frozenset[str]) -> Unusable | None:
    if text(header, "Modality") not in modalities:
        return Unusable.OTHER_MODALITY
    kind = unusable_kind(text(header, "SOPClassUID"), number(header, "NumberOfFrames"))
    if kind is not None:
        return kind
    if text(header, "PresentationIntentType").upper() == "FOR PROCESSING":
        return Unusable.FOR_PROCESSING
    if text(header, "BurnedInAnnotation").upper() == "YES":
        return Unusable.BURNED_IN_ANNOTATION
    if not text(header, "PatientID"):
        return Unusable.NO_PATIENT
    return None

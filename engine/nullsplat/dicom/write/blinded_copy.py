"""Writes a volume as a CT series for a blinded reading: everything that could tell how it was made is left out.

Measured, interpolated and super-resolved volumes get the same headers, so every copy is labelled as the most doubtful
of them must be: derived, for research, and perhaps with synthetic content. Nothing is taken from the source but pixels
and geometry.
Source: PS3.3 A.3.3 (modules of the CT Image IOD), C.7.6.1 (General Image).
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from nullsplat.core.files import make_folder
from nullsplat.core.volume import Volume
from nullsplat.dicom.read.eligibility import PRODUCT_NAME
from nullsplat.dicom.uids import hashed_uid
from nullsplat.dicom.write.copied_attributes import fill_required
from nullsplat.dicom.write.files import write_slices

RESEARCH_USE = (
    "For research use only, not for diagnosis. Copy for a blinded reader study; fine detail may have been synthesised "
    "by a model."
)
"""In Derivation Description and Image Comments of every copy."""

_SAME_TIME = 1_000_000_000
"""In seconds since 1970."""


@dataclass(frozen=True)
class ReadingCopy:
    """Which copy of which case; nothing of it depends on how the volume was made.

    Attributes:
        study: text that is the same for the whole reader study and goes into all UIDs.
        case: number, from 1.
        reading: letter.
    """

    study: str
    case: int
    reading: str

    @property
    def description(self) -> str:
        """For people, such as `Case 03, reading B`."""
        return f"Case {self.case:02d}, reading {self.reading}"

    def uid(self, role: str, index: int = 0) -> str:
        """Of the series or one of its slices."""
        return hashed_uid("reading copy", self.study, self.case, self.reading, role, index)

    def shared_uid(self, role: str) -> str:
        """Of what all readings of the case share, so that viewers show and scroll them side by side."""
        return hashed_uid("reading copy", self.study, self.case, role)


def write_reading_copy(volume: Volume, folder: Path, copy: ReadingCopy) -> list[Path]:
    """Write one file per slice, in z order; the same arguments give the same bytes and the same file times.

    Args:
        volume: HU; clipped to [-1024, 31743] and rounded.
        folder: made if missing.
        copy: which one it is.
    Raises:
        StorageError: the folder cannot be written.
    """
    make_folder(folder)
    template = _template(copy)
    spacing = volume.geometry.spacing[0]
    paths = write_slices(volume, folder, template, lambda index: copy.uid("slice", index), spacing)
    for path in (*paths, folder):
        set_same_time(path)
    return paths


def set_same_time(path: Path) -> None:
    """Make a file or folder as old as all others: the order in which they were written tells nothing."""
    os.utime(path, (_SAME_TIME, _SAME_TIME))


def _template(copy: ReadingCopy) -> Dataset:
    template = Dataset()
    template.SpecificCharacterSet = "ISO_IR 192"
    _set_case(template, copy)
    _set_series(template, copy)
    _set_labels(template)
    _set_window(template)
    fill_required(template)
    return template


def _set_case(template: Dataset, copy: ReadingCopy) -> None:
    template.PatientName = f"Case {copy.case:02d}^Reader study"
    template.PatientID = f"READER-STUDY-{copy.case:02d}"
    template.PatientIdentityRemoved = "YES"
    template.DeidentificationMethod = "Only pixels and geometry were kept"
    template.StudyInstanceUID = copy.shared_uid("study")
    template.StudyID = str(copy.case)
    template.StudyDescription = f"Reader study, case {copy.case:02d}, RESEARCH"
    template.FrameOfReferenceUID = copy.shared_uid("frame of reference")


def _set_series(template: Dataset, copy: ReadingCopy) -> None:
    template.SOPClassUID = CTImageStorage
    template.Modality = "CT"
    template.SeriesInstanceUID = copy.uid("series")
    template.SeriesNumber = 1 + ord(copy.reading) - ord("A")
    template.SeriesDescription = f"{copy.description} [RESEARCH]"
    template.Laterality = None  # type 2C: the body part is not told
    template.Manufacturer = PRODUCT_NAME
    template.ManufacturerModelName = "Reader study"


def _set_labels(template: Dataset) -> None:
    """What must never be missing on one that was made by a model, and so is on all."""
    template.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    template.DerivationDescription = RESEARCH_USE
    template.ImageComments = RESEARCH_USE
    template.ContentQualification = "RESEARCH"
    template.SyntheticData = "YES"


def _set_window(template: Dataset) -> None:
    template.WindowCenter = [-600, 40]
    template.WindowWidth = [1500, 400]
    template.WindowCenterWidthExplanation = ["LUNG", "SOFT TISSUE"]

"""CTs to train on, from NIfTI files and DICOM folders."""

from dataclasses import dataclass
from pathlib import Path

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.volume import Volume
from nullsplat.dicom.read.series import read_folder
from nullsplat.io.nifti import is_nifti, read_nifti


@dataclass(frozen=True)
class LabelledVolume:
    """A CT and whose it is.

    Attributes:
        volume: in HU.
        patient: key that keeps volumes of one patient on one side of the validation split.
        name: what messages call it.
    """

    volume: Volume
    patient: str
    name: str


def read_ct(source: Path) -> LabelledVolume:
    """One CT.

    Raises:
        UnreadableFile: neither a NIfTI file nor a folder.
        IneligibleSeries: the DICOM series in the folder cannot be used.
    """
    if source.is_dir():
        series = read_folder(source)
        patient = str(series.headers[0].get("PatientID", "")) or source.name
        return LabelledVolume(series.volume, patient, source.name)
    if not is_nifti(source):
        raise UnreadableFile(f"--ct must be a .nii/.nii.gz or a DICOM folder, {source} is neither")
    return LabelledVolume(read_nifti(source), source.name, source.name)

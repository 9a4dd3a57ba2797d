"""CTs to train on, from files and DICOM folders."""

from dataclasses import dataclass
from pathlib import Path

from nullsplat.core.volume import Volume
from nullsplat.dicom.read.series import read_folder
from nullsplat.io.volumes import check_readable, read_volume


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
        UnreadableFile: nothing is there, or it is damaged or of another kind.
        IneligibleSeries: the DICOM series in the folder cannot be used.
    """
    check_readable(source, "--ct")
    if source.is_dir():
        series = read_folder(source)
        patient = str(series.headers[0].get("PatientID", "")) or source.name
        return LabelledVolume(series.volume, patient, source.name)
    return LabelledVolume(read_volume(source), source.name, source.name)

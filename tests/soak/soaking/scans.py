"""The series that are sent: small, of all sorts, and known to the last pixel."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage

from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from soaking.plan import Case

SLICES, SIZE, SPACING_MM, PIXEL_MM = 12, 48, 3.0, 0.7
FACTOR = 3
"""Derived slices for each of the source's."""
EARLY_SLICES = 8
"""Slices of a late series that come first; enough to be taken for a whole series."""


@dataclass(frozen=True)
class Scan:
    """A series on disk.

    Attributes:
        first, second: files in the order in which they are sent; the second part comes later, often never.
    """

    case: Case
    series_uid: str
    first: list[Path]
    second: list[Path]


def make(case: Case, folder: Path) -> Scan:
    """Write the files of a series. What is wrong with one comes first, so that no part of it looks right."""
    files = write_ct_series(_volume(case.seed), folder, SeriesDescription(seed=case.seed))
    for index, path in enumerate(files):
        dataset = dcmread(path)
        _EDITS.get(case.kind, _leave)(dataset, index)
        dataset.save_as(path)
    if case.kind == "gap":
        files.pop(1).unlink()
    if case.kind == "localizer":
        for path in files[1:]:
            path.unlink()
        files = files[:1]
    series_uid = str(dcmread(files[0]).SeriesInstanceUID)
    if case.kind == "late":
        return Scan(case, series_uid, files[:EARLY_SLICES], files[EARLY_SLICES:])
    return Scan(case, series_uid, files, files if case.kind == "duplicate" else [])


def _volume(seed: int) -> Volume:
    shape = (SLICES, SIZE, SIZE)
    hu = np.random.default_rng(seed).integers(-1000, 1000, shape).astype(np.float32)
    return Volume(hu, Geometry(shape, (SPACING_MM, PIXEL_MM, PIXEL_MM), (-16.0, -16.0, 10.0 * (seed % 7))))


def _leave(dataset: Dataset, index: int) -> None:
    """Change nothing."""


def _tilt(dataset: Dataset, index: int) -> None:
    """Turn the planes and leave the table's way as it is, so that every slice lies one pixel further in its plane."""
    sine = PIXEL_MM / SPACING_MM
    dataset.ImageOrientationPatient = [1, 0, 0, 0, round(math.sqrt(1 - sine**2), 12), round(sine, 12)]
    dataset.GantryDetectorTilt = round(math.degrees(math.asin(sine)), 1)


def _foreign(dataset: Dataset, index: int) -> None:
    dataset.SpecificCharacterSet = ["ISO 2022 IR 13", "ISO 2022 IR 87"]
    dataset.PatientName = "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"


def _reformat(dataset: Dataset, index: int) -> None:
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER", "CSA MPR THICK"]


def _lean(dataset: Dataset, index: int) -> None:
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x, y + 2 * SPACING_MM * index, z]


def _mixed(dataset: Dataset, index: int) -> None:
    dataset.AcquisitionNumber = 1 + index % 2
    dataset.AcquisitionTime = f"09{index % 2}000"


def _localizer(dataset: Dataset, index: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def _mr(dataset: Dataset, index: int) -> None:
    dataset.Modality = "MR"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage


def _projection(dataset: Dataset, index: int) -> None:
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER", "CSA MIP THICK"]


def _dose(dataset: Dataset, index: int) -> None:
    dataset.CTDIvol, dataset.Exposure = 14.0, 200
    dataset.StudyDescription = dataset.SeriesDescription = dataset.ProtocolName = "CHEST ROUTINE"


def _truncated(dataset: Dataset, index: int) -> None:
    if index == 0:
        dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]


def _corrupt(dataset: Dataset, index: int) -> None:
    if index == 0:
        del dataset.ImagePositionPatient


_EDITS: dict[str, Callable[[Dataset, int], None]] = {
    "tilt": _tilt,
    "foreign": _foreign,
    "reformat": _reformat,
    "lean": _lean,
    "mixed": _mixed,
    "localizer": _localizer,
    "mr": _mr,
    "projection": _projection,
    "dose": _dose,
    "truncated": _truncated,
    "corrupt": _corrupt,
}

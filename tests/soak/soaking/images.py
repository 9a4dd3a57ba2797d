"""Are these the images that they should be? Answered from what was sent, without the engine's own code."""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from soaking.scans import FACTOR

TOLERANCE_MM = 1e-3
AIR_HU = -1024.0
"""What lies beside a slice that was moved."""


def output_hash(files: dict[str, Path]) -> str:
    """What docs/operations.md calls `output`: over the SOP Instance UID and the SHA-256 of each file, sorted."""
    lines = [
        f"{uid} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for uid, path in sorted(files.items())
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def same_images(archive: dict[str, Path], held: dict[str, Path], place: str) -> list[str]:
    """Complaints about slices that are not the same at a place as in the archive."""
    different = [uid for uid, path in archive.items() if not _same(path, held[uid])]
    return [f"{len(different)} slices are not the same at {place} as in Orthanc"] if different else []


def differences_from_source(sent: Sequence[Path], derived: Sequence[Path], *, pixels: bool) -> list[str]:
    """Complaints about a derived series: its place, and with `pixels` its content, which repeats the source's slices.

    Args:
        sent: the source's files in z order.
        derived: the result's in z order.
    """
    source, result = [_read(path) for path in sent], [_read(path) for path in derived]
    if len(result) != FACTOR * len(source):
        return [f"{FACTOR} slices are needed for each of {len(source)}, there are {len(result)}"]
    wrong = []
    if len({one.SeriesInstanceUID for one in result}) != 1:
        wrong.append("all slices must have one Series Instance UID")
    if {one.StudyInstanceUID for one in result} != {source[0].StudyInstanceUID}:
        wrong.append("the result must be in the source's study")
    if any(
        (str(one.PatientName), one.PatientID) != (str(source[0].PatientName), source[0].PatientID)
        for one in result
    ):
        wrong.append("the result must name the source's patient")
    windows = [_window(source[index // FACTOR], one) for index, one in enumerate(result)]
    step = _along_normal(source[1], source[0])
    misplaced = [i for i, one in enumerate(result) if not _is_in_place(source[i // FACTOR], one, i, step)]
    if misplaced or not _hold_no_more(source[0], result, windows):
        return [*wrong, f"{len(misplaced) or len(result)} slices lie elsewhere than they should"]
    if pixels:
        other = [i for i, one in enumerate(result) if not _repeats(source[i // FACTOR], one, windows[i])]
        wrong += [f"{len(other)} slices have other pixels than they should"] if other else []
    return wrong


def _axes(one: Dataset) -> np.ndarray:
    """Unit vectors along a column, along a row, and along the normal."""
    along_row, along_column = np.array(one.ImageOrientationPatient, dtype=float).reshape(2, 3)
    return np.stack([along_column, along_row, np.cross(along_row, along_column)])


def _offset(one: Dataset, source: Dataset) -> np.ndarray:
    """From the first pixel of a source's slice to that of another image, in mm along the axes of the source."""
    positions = [np.array(image.ImagePositionPatient, dtype=float) for image in (one, source)]
    offset: np.ndarray = _axes(source) @ (positions[0] - positions[1])
    return offset


def _along_normal(one: Dataset, source: Dataset) -> float:
    return float(_offset(one, source)[2])


def _window(source: Dataset, one: Dataset) -> tuple[int, int]:
    """Row and column of a derived image at which the first pixel of its source's slice lies."""
    down, right = (-_offset(one, source)[:2] / np.array(source.PixelSpacing, dtype=float)).tolist()
    return round(down), round(right)


def _is_in_place(source: Dataset, one: Dataset, index: int, step: float) -> bool:
    """Whether an image lies where it should along the normal, and its pixels lie on those of its source's slice."""
    wanted = ((index % FACTOR + 0.5) / FACTOR - 0.5) * step
    corner = np.array(_window(source, one)) * np.array(source.PixelSpacing, dtype=float)
    off = np.abs(_offset(one, source) - [*-corner, wanted]).max()
    same_axes = np.allclose(_axes(one), _axes(source), atol=TOLERANCE_MM)
    return bool(off < TOLERANCE_MM and same_axes and one.PixelSpacing == source.PixelSpacing)


def _hold_no_more(source: Dataset, result: Sequence[Dataset], windows: Sequence[tuple[int, int]]) -> bool:
    """Whether the images are as large as the source's slices need, which lie aside of each other where they lean."""
    low, high = np.min(windows, axis=0), np.max(windows, axis=0)
    size = tuple(np.add((source.Rows, source.Columns), high).tolist())
    return not low.any() and {(one.Rows, one.Columns) for one in result} == {size}


def _repeats(source: Dataset, one: Dataset, window: tuple[int, int]) -> bool:
    expected = np.full((one.Rows, one.Columns), AIR_HU)
    top, left = window
    expected[top : top + source.Rows, left : left + source.Columns] = _hu(source)
    return np.array_equal(_hu(one), expected)


def _same(one: Path, other: Path) -> bool:
    # Else without the file meta information, which a DICOM node may write anew.
    return one.read_bytes() == other.read_bytes() or bool(Dataset(_read(one)) == Dataset(_read(other)))


def _hu(dataset: Dataset) -> np.ndarray:
    return dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


def _read(path: Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(path)

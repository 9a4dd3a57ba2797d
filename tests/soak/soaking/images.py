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


def output_hash(files: dict[str, Path]) -> str:
    """What docs/operations.md calls `output`: over the SOP Instance UID and the SHA-256 of each file, sorted."""
    lines = [
        f"{uid} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for uid, path in sorted(files.items())
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def same_images(archive: dict[str, Path], pacs: dict[str, Path]) -> list[str]:
    """Complaints about slices that are not the same at the PACS as in the archive."""
    different = [uid for uid, path in archive.items() if not _same(path, pacs[uid])]
    return [f"{len(different)} slices are not the same at the PACS as in Orthanc"] if different else []


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
    misplaced = [index for index, one in enumerate(result) if not _is_in_place(source, one, index)]
    if misplaced:
        wrong.append(f"{len(misplaced)} slices lie elsewhere than they should")
    if pixels:
        other = [i for i, one in enumerate(result) if not np.array_equal(_hu(one), _hu(source[i // FACTOR]))]
        wrong += [f"{len(other)} slices have other pixels than they should"] if other else []
    return wrong


def _is_in_place(source: Sequence[Dataset], one: Dataset, index: int) -> bool:
    first, second = (np.array(source[i].ImagePositionPatient, dtype=float) for i in (0, 1))
    step = (second - first) / FACTOR
    wanted = first - (second - first) / 2 + (index + 0.5) * step
    off = np.abs(np.array(one.ImagePositionPatient, dtype=float) - wanted).max()
    same_grid = one.PixelSpacing == source[0].PixelSpacing and (one.Rows, one.Columns) == (
        source[0].Rows,
        source[0].Columns,
    )
    return bool(off < TOLERANCE_MM and same_grid)


def _same(one: Path, other: Path) -> bool:
    # Without the file meta information, which every DICOM node writes anew.
    return bool(Dataset(_read(one)) == Dataset(_read(other)))


def _hu(dataset: Dataset) -> np.ndarray:
    return dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


def _read(path: Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(path)

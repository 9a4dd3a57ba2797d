"""Reads one CT series into a volume, or says why it is refused.

All checks run on headers before the first pixel is decoded; pixels then stream into the volume slice by slice.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.volume import Volume
from nullsplat.dicom.geometry.stacking import Stack, stack
from nullsplat.dicom.geometry.thickness import slice_thickness
from nullsplat.dicom.headers import decode, required_uid, text
from nullsplat.dicom.read.acquisition import profile_of
from nullsplat.dicom.read.choosing import chosen_series, slices_among
from nullsplat.dicom.read.eligibility import check_count, check_kind, check_same_series
from nullsplat.dicom.read.enhanced import frames_of, is_enhanced
from nullsplat.dicom.read.files import read_file, read_headers, series_files
from nullsplat.dicom.read.identity import check_identity
from nullsplat.dicom.read.one_acquisition import check_one_acquisition
from nullsplat.dicom.read.pixels import check_scale, check_transfer_syntax, slice_hu
from nullsplat.dicom.read.remarks import on_source, on_thickness
from nullsplat.dicom.refusals import Refusal, refuse
from nullsplat.dicom.uids import hashed_uid


@dataclass(frozen=True)
class SourceSeries:
    """An eligible CT series.

    Attributes:
        volume: Hounsfield units; z index increases along the slice normal; with what the headers tell of its slices.
        headers: one per slice in z order, decoded, without pixels, overlays and private attributes; of a frame as
            `enhanced.frames_of` gives it.
        fingerprint: of the set of instances, see `fingerprint`.
        remarks: what a reader of a result must know, see `remarks.on_source`.
    """

    volume: Volume
    headers: tuple[Dataset, ...]
    fingerprint: str
    remarks: tuple[str, ...] = ()

    @property
    def slice_thickness(self) -> float:
        """In mm; the spacing of the slices where the scanner gives none."""
        return self.volume.slice_thickness or self.volume.geometry.spacing[0]

    @property
    def instances(self) -> tuple[Dataset, ...]:
        """One header per instance: all of them, or one of a multi-frame image."""
        return tuple({str(header.SOPInstanceUID): header for header in self.headers}.values())


def read_folder(path: Path, series: str = "", *, allow_gaps: bool = False) -> SourceSeries:
    """Read one CT series of a folder; hidden files, a DICOMDIR and subfolders are ignored.

    Args:
        path: of the folder.
        series: number or UID of the series that is meant, where the folder holds several.
        allow_gaps: take slices that are thinner than they are apart.
    Raises:
        UnreadableFile: no folder, no files, or a file that is truncated, damaged or not DICOM.
        ConfigurationError: `series` names none.
        IneligibleSeries: the series is refused; its code is one of `refusals.Refusal`.
    """
    pairs, remarks = chosen_series(read_headers(series_files(path)), series)
    found = _read([header for _, header in pairs], [file for file, _ in pairs], allow_gaps)
    return replace(found, remarks=(*found.remarks, *remarks))


def read_datasets(datasets: Sequence[Dataset], *, allow_gaps: bool = False) -> SourceSeries:
    """Read a series from datasets in memory, in any order; they are left as they are.

    Args:
        datasets: with pixels and file meta information (the transfer syntax).
        allow_gaps: take slices that are thinner than they are apart.
    Raises:
        UnreadableFile: there is none, or pixels are missing or damaged.
        IneligibleSeries: as `read_folder`.
    """
    if not datasets:
        raise UnreadableFile("the slices of one CT series were needed, got none")
    return _read([decode(dataset) for dataset in datasets], datasets, allow_gaps)


def fingerprint(series_uid: str, sop_uids: Iterable[str]) -> str:
    """SHA-256 of the Series Instance UID and the sorted SOP Instance UIDs, joined by newlines."""
    return hashlib.sha256("\n".join([series_uid, *sorted(sop_uids)]).encode()).hexdigest()


def _read(headers: list[Dataset], sources: Sequence[Path | Dataset], allow_gaps: bool) -> SourceSeries:
    check_same_series(headers)
    sop_uids = [required_uid(header, "SOPInstanceUID") for header in headers]
    check_identity(headers)
    kept = slices_among(headers)
    left_out = len(headers) - len(kept)
    headers, sources = [headers[index] for index in kept], [sources[index] for index in kept]
    if any(is_enhanced(header) for header in headers):
        headers = frames_of(headers)
        sources = [sources[0]] * len(headers)
    check_kind(headers)
    made_frame = _check_common(headers)
    check_count(headers)
    grid = stack(headers)
    for header in headers:
        check_transfer_syntax(header)
    sources = _opened(headers, sources)
    ordered = tuple(headers[index] for index in grid.order)
    spacing = grid.geometry.spacing[0]
    thickness = slice_thickness(ordered, spacing, allow_gaps=allow_gaps)
    check_one_acquisition(ordered)
    profile, why = profile_of(ordered)
    volume = _decode_volume(ordered, [sources[index] for index in grid.order], grid)
    return SourceSeries(
        volume=replace(volume, slice_thickness=thickness, slice_profile=str(profile), profile_evidence=why),
        headers=ordered,
        fingerprint=fingerprint(text(ordered[0], "SeriesInstanceUID"), sop_uids),
        remarks=(*on_thickness(thickness, spacing), *on_source(ordered, left_out, made_frame, grid.lean)),
    )


def _opened(headers: Sequence[Dataset], sources: Sequence[Path | Dataset]) -> Sequence[Path | Dataset]:
    """The sources, a multi-frame file among them as one dataset that all of its slices share."""
    first = sources[0]
    if is_enhanced(headers[0]) and isinstance(first, Path):
        return [read_file(first, pixels=True)] * len(sources)
    return sources


def _check_common(headers: Sequence[Dataset]) -> bool:
    """Whether the frame of reference had to be made: the same for all slices, and again from the same series."""
    made = not any(text(header, "FrameOfReferenceUID") for header in headers)
    for header in headers if made else ():
        header.FrameOfReferenceUID = hashed_uid("frame of reference", text(header, "SeriesInstanceUID"))
    frames = {required_uid(header, "FrameOfReferenceUID") for header in headers}
    if len(frames) > 1:
        refuse(
            Refusal.MIXED_FRAME_OF_REFERENCE,
            f"all slices must lie in one frame of reference, got {len(frames)}; split the series by acquisition",
        )
    return made


def _decode_volume(headers: Sequence[Dataset], sources: Sequence[Path | Dataset], grid: Stack) -> Volume:
    _, *shape = grid.geometry.shape
    size = grid.lean.size
    first = slice_hu(sources[0], headers[0], size)  # before the memory of a whole volume is asked for
    hu = np.empty(grid.geometry.shape, np.float32)
    lowest = np.inf
    for index, header in enumerate(headers):
        values = slice_hu(sources[index], header, size) if index else first
        lowest = min(lowest, float(values.min()))  # before the air around leaning slices
        hu[index] = grid.lean.placed(values, index, (shape[0], shape[1]))
    check_scale(headers, lowest)
    return Volume(hu, grid.geometry)

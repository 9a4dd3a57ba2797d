"""Reads one CT series into a volume, or says why it is refused.

All checks run on headers before the first pixel is decoded; pixels then stream into the volume slice by slice.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.volume import Volume
from nullsplat.dicom.eligibility import check_count, check_kind, check_same_series
from nullsplat.dicom.enhanced import frames_of, is_enhanced
from nullsplat.dicom.files import read_headers, series_files
from nullsplat.dicom.headers import decode, required_uid, text
from nullsplat.dicom.identity import check_identity
from nullsplat.dicom.one_acquisition import check_one_acquisition
from nullsplat.dicom.pixels import check_scale, check_transfer_syntax, slice_hu, with_pixels
from nullsplat.dicom.refusals import Refusal, refuse
from nullsplat.dicom.stacking import Stack, stack
from nullsplat.dicom.thickness import slice_thickness, unmeasured_share


@dataclass(frozen=True)
class SourceSeries:
    """An eligible CT series.

    Attributes:
        volume: Hounsfield units; z index increases along the slice normal.
        headers: one per slice in z order, decoded, without pixels, overlays and private attributes; of a frame as
            `enhanced.frames_of` gives it.
        fingerprint: of the set of instances, see `fingerprint`.
        slice_thickness: mm; the spacing of the slices where the scanner gives none.
        remarks: what a reader of a result must know of the source, in sentences without patient data.
    """

    volume: Volume
    headers: tuple[Dataset, ...]
    fingerprint: str
    slice_thickness: float
    remarks: tuple[str, ...] = ()

    @property
    def instances(self) -> tuple[Dataset, ...]:
        """One header per instance: all of them, or one of a multi-frame image."""
        return tuple({str(header.SOPInstanceUID): header for header in self.headers}.values())


def read_folder(path: Path, *, allow_gaps: bool = False) -> SourceSeries:
    """Read the one CT series in a folder; hidden files, a DICOMDIR and subfolders are ignored.

    Args:
        path: of the folder.
        allow_gaps: take slices that are thinner than they are apart.
    Raises:
        UnreadableFile: no folder, no files, or a file that is truncated, damaged or not DICOM.
        IneligibleSeries: the series is refused; its code is one of `refusals.Refusal`.
    """
    pairs = read_headers(series_files(path))
    return _read([header for _, header in pairs], [file for file, _ in pairs], allow_gaps)


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
    if any(is_enhanced(header) for header in headers):
        headers = frames_of(headers)
        sources = [sources[0]] * len(headers)
    check_kind(headers)
    _check_common(headers)
    check_count(headers)
    grid = stack(headers)
    for header in headers:
        check_transfer_syntax(header)
    sources = _opened(headers, sources)
    ordered = tuple(headers[index] for index in grid.order)
    spacing = grid.geometry.spacing[0]
    thickness = slice_thickness(ordered, spacing, allow_gaps=allow_gaps)
    check_one_acquisition(ordered)
    volume = _decode_volume(ordered, [sources[index] for index in grid.order], grid)
    return SourceSeries(
        volume=volume,
        headers=ordered,
        fingerprint=fingerprint(text(ordered[0], "SeriesInstanceUID"), sop_uids),
        slice_thickness=thickness or spacing,
        remarks=_remarks(thickness, spacing),
    )


def _remarks(thickness: float | None, spacing: float) -> tuple[str, ...]:
    if thickness is None:
        return (
            f"The source does not say its slice thickness; it was taken for the distance, {spacing:.4g} mm.",
        )
    share = unmeasured_share(thickness, spacing)
    if not share:
        return ()
    gaps = f"The source has gaps: slices of {thickness:.4g} mm every {spacing:.4g} mm"
    return (f"{gaps}, {share:.0%} of the length was never measured and is invented.",)


def _opened(headers: Sequence[Dataset], sources: Sequence[Path | Dataset]) -> Sequence[Path | Dataset]:
    """The sources, a multi-frame file among them as one dataset that all of its slices share."""
    first = sources[0]
    if is_enhanced(headers[0]) and isinstance(first, Path):
        return [with_pixels(first)] * len(sources)
    return sources


def _check_common(headers: Sequence[Dataset]) -> None:
    frames = {required_uid(header, "FrameOfReferenceUID") for header in headers}
    if len(frames) > 1:
        refuse(
            Refusal.MIXED_FRAME_OF_REFERENCE,
            f"all slices must lie in one frame of reference, got {len(frames)}; split the series by acquisition",
        )


def _decode_volume(headers: Sequence[Dataset], sources: Sequence[Path | Dataset], grid: Stack) -> Volume:
    _, rows, columns = grid.geometry.shape
    first = slice_hu(
        sources[0], headers[0], (rows, columns)
    )  # before the memory of a whole volume is asked for
    hu = np.empty(grid.geometry.shape, np.float32)
    hu[0] = first
    for index in range(1, len(headers)):
        hu[index] = slice_hu(sources[index], headers[index], (rows, columns))
    check_scale(headers, hu)
    return Volume(hu, grid.geometry)

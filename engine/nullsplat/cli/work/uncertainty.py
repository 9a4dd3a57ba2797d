"""What `nullsplat sr --uncertainty` writes beside the result: what of it was not measured."""

from collections.abc import Iterator
from pathlib import Path

from nullsplat.core.volume import Volume
from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.read.series import SourceSeries
from nullsplat.dicom.write.derived_series import FurtherImage
from nullsplat.dicom.write.parametric_map import DEVIATION, INTERVAL, NULL_SPACE, MapKind, write_map
from nullsplat.io.nifti import SUFFIXES, write_nifti
from nullsplat.pipeline.run import Result


def write_nifti_maps(result: Result, target: Path) -> None:
    """Write OUTPUT-interval, OUTPUT-deviation and OUTPUT-null-space with OUTPUT's suffix, in HU.

    Raises:
        StorageError: a file cannot be written.
    """
    files = dict(zip((INTERVAL, DEVIATION, NULL_SPACE), map_files(target), strict=True))
    for kind, volume in _maps(result):
        write_nifti(volume, files[kind])


def write_dicom_maps(
    result: Result, source: SourceSeries, provenance: Provenance, folder: Path
) -> Iterator[FurtherImage]:
    """Write a Parametric Map of each, in a series of its own.

    Raises:
        StorageError: a file cannot be written.
    """
    for kind, volume in _maps(result):
        yield write_map(kind, source, volume, provenance, folder)


def map_files(target: Path) -> tuple[Path, Path, Path]:
    """Where the maps of a NIfTI file go: half width of the intervals, standard deviation, null-space change."""
    return beside(target, "interval"), beside(target, "deviation"), beside(target, "null-space")


def beside(target: Path, what: str) -> Path:
    """`sr.nii.gz` as `sr-what.nii.gz`."""
    suffix = next(suffix for suffix in sorted(SUFFIXES, reverse=True) if target.name.lower().endswith(suffix))
    stem = target.name[: -len(suffix)]
    return target.with_name(f"{stem}-{what}{target.name[-len(suffix) :]}")


def _maps(result: Result) -> Iterator[tuple[MapKind, Volume]]:
    """One after the other, so that only one is computed at a time."""
    if result.interval is None:
        print(
            f"no intervals: the prior {result.config.prior} was never calibrated; `nullsplat calibrate` does it"
        )
    else:
        yield INTERVAL, result.interval
    if result.deviation is None and result.config.sampling.samples > 1:
        print(f"no deviation: the prior {result.config.prior} draws projections, not volumes")
    elif result.deviation is not None:
        yield DEVIATION, result.deviation
    yield NULL_SPACE, result.null_space()

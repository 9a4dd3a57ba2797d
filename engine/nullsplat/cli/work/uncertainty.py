"""What `nullsplat sr --uncertainty` writes beside the result: what of it was not measured."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from nullsplat.core.volume import Volume
from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.read.series import SourceSeries
from nullsplat.dicom.write.parametric_map import DEVIATION, NULL_SPACE, MapKind, write_map
from nullsplat.io.nifti import SUFFIXES, write_nifti
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.imagined import null_space_volume
from nullsplat.pipeline.workspace import Workspace


@dataclass(frozen=True)
class FinishedRun:
    """A run whose workspace is still there."""

    workspace: Workspace
    config: PipelineConfig
    device: torch.device


def write_nifti_maps(run: FinishedRun, target: Path) -> None:
    """Write OUTPUT-deviation and OUTPUT-null-space with OUTPUT's suffix, in HU.

    Raises:
        StorageError: a file cannot be written.
    """
    for kind, volume in _maps(run):
        write_nifti(volume, beside(target, "deviation" if kind is DEVIATION else "null-space"))


def write_dicom_maps(run: FinishedRun, source: SourceSeries, provenance: Provenance, folder: Path) -> None:
    """Write a Parametric Map of each, in a series of its own.

    Raises:
        StorageError: a file cannot be written.
    """
    for kind, volume in _maps(run):
        write_map(kind, source, volume, provenance, folder)


def beside(target: Path, what: str) -> Path:
    """`sr.nii.gz` as `sr-what.nii.gz`."""
    suffix = next(suffix for suffix in sorted(SUFFIXES, reverse=True) if target.name.lower().endswith(suffix))
    stem = target.name[: -len(suffix)]
    return target.with_name(f"{stem}-{what}{target.name[-len(suffix) :]}")


def _maps(run: FinishedRun) -> Iterator[tuple[MapKind, Volume]]:
    """One after the other, so that only one is in memory."""
    deviation = run.workspace.deviation()
    if deviation is None:
        print(f"no deviation: the prior {run.config.prior} draws projections, not volumes")
    else:
        yield DEVIATION, deviation
    del deviation
    yield NULL_SPACE, null_space_volume(run.workspace, run.config, run.device)

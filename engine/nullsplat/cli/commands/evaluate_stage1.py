"""`nullsplat eval-stage1`: options and help of the command; `cli.work.evaluate_stage1` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.commands.evaluate import SCALES
from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Computes, Crop, Debug, Device, Noise, PublicCts, Truths


def evaluate_stage1(  # noqa: PLR0913, PLR0917 - options are parameters
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="stage1.json and stage1.md go here.")],
    volumes: Truths = None,
    public: PublicCts = False,
    scale: Annotated[str, typer.Option(metavar="S,...", help=SCALES)] = "iso4,thick4",
    noise: Noise = "0",
    views: Annotated[int, typer.Option(min=1, help="Projections that are compared.")] = 10,
    samples: Annotated[
        str, typer.Option(metavar="K,...", help="How many samples are averaged. Comma-separated.")
    ] = "1,4",
    crop: Crop = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of noise and samples.")] = 0,
    device: Computes = Device.auto,
    debug: Debug = False,
) -> None:
    """Measure stage 1 alone: how close its projections are to those of the truth.

    Compares cubic interpolation, the exact pseudo-inverse step, the projected `tv` volume and both packaged priors, per
    number of network evaluations and of samples. Never evaluate on volumes that trained the prior.

    Example: `nullsplat eval-stage1 --public --scale iso4,thick4 --out stage1`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.inputs.study_subjects import Subjects  # noqa: PLC0415
        from nullsplat.cli.work.evaluate_stage1 import Request, run  # noqa: PLC0415 - --help must not import torch

        subjects = Subjects(tuple(volumes or ()), public, crop)
        run(Request(subjects, scale, noise, views, samples, seed, device.value, out))

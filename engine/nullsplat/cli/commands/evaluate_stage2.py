"""`nullsplat eval-stage2`: options and help of the command; `cli.work.evaluate_stage2` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.commands.evaluate import SCALES
from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Computes, Crop, Debug, Device, Noise, PublicCt, Truths


def evaluate_stage2(  # noqa: PLR0913, PLR0917 - options are parameters
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="stage2.json and stage2.md go here.")],
    volumes: Truths = None,
    public: PublicCt = False,
    scale: Annotated[str, typer.Option(metavar="S,...", help=SCALES)] = "iso4",
    noise: Noise = "0",
    fits: Annotated[
        str,
        typer.Option(
            metavar="KIND,...",
            help="presets, closed-form, ablations, schedules, paper, paper-small. Comma-separated.",
        ),
    ] = "presets,ablations",
    crop: Crop = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of noise and fits.")] = 0,
    device: Computes = Device.auto,
    debug: Debug = False,
) -> None:
    """Measure stage 2 alone: the volume that Gaussians make of what stage 1 gives, and of perfect input.

    Compares the closed form of the presets, their fits to projections, `standard` with one thing changed or its steps
    spent in another way, and the paper's fit with each activation. What they make of the truth bounds what stage 2 can
    do; the rest is lost in stage 1.

    Example: `nullsplat eval-stage2 --public --scale iso4 --out stage2`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.inputs.study_subjects import Subjects  # noqa: PLC0415
        from nullsplat.cli.work.evaluate_stage2 import Request, run  # noqa: PLC0415 - --help must not import torch

        subjects = Subjects(tuple(volumes or ()), public, crop)
        run(Request(subjects, scale, noise, fits, seed, device.value, out))

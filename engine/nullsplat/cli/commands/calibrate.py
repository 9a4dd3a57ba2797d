"""`nullsplat calibrate`: options and help of the command; `cli.work.calibrate` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.commands.evaluate import SCALES
from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Computes, Crop, Debug, Device, Noise, PublicCts, Truths


def calibrate(  # noqa: PLR0913, PLR0917 - options are parameters
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="calibration.json and coverage.md go here.")
    ],
    volumes: Truths = None,
    public: PublicCts = False,
    prior: Annotated[
        str, typer.Option(metavar="NAME|DIR", help="Whose intervals: a packaged prior, or your own.")
    ] = "block-small",
    scale: Annotated[str, typer.Option(metavar="S,...", help=SCALES)] = "iso4,thick4,bell4",
    noise: Noise = "0,15,30",
    thicker: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="MM",
            help="Also truths whose slices are averaged to about this thickness, for results as thick.",
        ),
    ] = None,
    crop: Crop = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Only measure how often the prior's calibration holds on these volumes."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the noise.")] = 0,
    device: Computes = Device.auto,
    debug: Debug = False,
) -> None:
    """Calibrate a prior's intervals, so that they hold the truth of 90 % of voxels, on thin CTs of your own scanner.

    Degrades each VOLUME, super-resolves it with `preview`, and finds for each tissue, flat or at an edge, the factor
    that the stated intervals need: for slices alone and for all axes, and for each level of noise, between which a run interpolates. Put calibration.json beside the prior's weights; every run then has intervals. Use volumes
    that no prior was trained on, of as many patients as you have: with n of them, at least
    90 % * n / (n + 1) of the voxels of a further one are covered on average.

    Example: `nullsplat calibrate a.nii.gz b.nii.gz --prior slab-run/prior --out calibrated`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.calibrate import Request, run  # noqa: PLC0415 - --help must not import torch

        files = tuple(volumes or ())
        run(Request(files, public, prior, scale, noise, crop, thicker, check, seed, device.value, out))

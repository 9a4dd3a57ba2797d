"""`nullsplat training-range`: options and help of the command; `cli.work.training_range` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Debug


def training_range(
    volumes: Annotated[
        list[Path],
        typer.Argument(metavar="CT...", help="CTs that the prior was trained and validated on."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="training_range.json goes here.")],
    prior: Annotated[
        str, typer.Option(metavar="NAME|DIR", help="Whose training: a packaged slab prior, or your own.")
    ] = "block-small",
    draws: Annotated[int, typer.Option(min=1, help="Series drawn from each CT.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    debug: Debug = False,
) -> None:
    """Record what a slab prior has seen in training, so that a series of another kind gets a warning.

    Draws series from each CT as training draws them, has the prior refine each, and records the lowest and highest
    voxel size, factor, slice profile, noise, sharpness, amount of metal, and share of a measurement that the prior did not expect. Put
    training_range.json beside the prior's weights; every run then reports in what its series lies outside.

    Example: `nullsplat training-range a.nii.gz b.nii.gz --prior slab-run/prior --out ranges`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.training_range import Request, run  # noqa: PLC0415 - --help must not import torch

        run(Request(tuple(volumes), prior, draws, seed, out))

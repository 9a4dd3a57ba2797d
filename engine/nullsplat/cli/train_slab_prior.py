"""`nullsplat train-slab-prior`: options and help of the command; `cli.slab_training` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.failures import readable_failures
from nullsplat.cli.train_prior import MixedPrecision, Size


def train_slab_prior(  # noqa: PLR0913, PLR0917 - options are parameters
    ct: Annotated[
        list[Path],
        typer.Option(
            "--ct", metavar="FILE|DIR", help="A CT: .nii/.nii.gz, or a folder with one DICOM series. Repeat."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Pairs and checkpoints go here, the prior and its card into DIR/prior.",
        ),
    ],
    validation_ct: Annotated[
        list[Path] | None,
        typer.Option(
            "--validation-ct",
            metavar="FILE|DIR",
            help="A CT of another patient to validate on. Repeat. Without it, a tenth of --ct is set aside.",
        ),
    ] = None,
    licence: Annotated[
        list[str] | None,
        typer.Option(
            "--licence", metavar="TEXT", help="A data source with its licence, for the card. Repeat for more."
        ),
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Degraded volumes to learn from.")] = 104,
    validation_pairs: Annotated[int, typer.Option(min=1, help="Degraded volumes to validate on.")] = 8,
    steps: Annotated[
        int, typer.Option(min=1, help="Optimiser steps in all; a resumed run counts on.")
    ] = 9000,
    batch: Annotated[int, typer.Option(min=1, help="Crops per step.")] = 16,
    size: Annotated[
        Size, typer.Option(help="small trains on a CPU in an hour; base is for a GPU.")
    ] = Size.small,
    mixed_precision: Annotated[
        MixedPrecision, typer.Option(help="bf16 is faster where the processor has it.")
    ] = MixedPrecision.no,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the full traceback when something fails.")
    ] = False,
) -> None:
    """Train the prior across slab thicknesses that `preview` and `standard` use, on your own CTs.

    No measured pairs are needed: the CTs are degraded by the engine's own model of a scanner. They need at least
    64 x 128 x 128 voxels. Stop it whenever you like: the same command goes on from the last checkpoint, and pairs that
    were made are kept. Never train on volumes that you mean to evaluate on.

    Example: `nullsplat train-slab-prior --ct a.nii.gz --ct b.nii.gz --validation-ct c.nii.gz --out slab-run
    --licence "a, b, c: QIN LUNG CT (TCIA), CC BY 3.0"`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.slab_training import Request, run  # noqa: PLC0415 - --help must not import torch

        counts = (pairs, validation_pairs)
        settings = (steps, batch, size.value, mixed_precision.value, seed)
        run(Request(tuple(ct), tuple(validation_ct or ()), tuple(licence or ()), out, counts, *settings))

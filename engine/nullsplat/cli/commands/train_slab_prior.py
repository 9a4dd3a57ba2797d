"""`nullsplat train-slab-prior`: options and help of the command; `cli.work.train_slab_prior` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli import training_options as options
from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Debug


def train_slab_prior(  # noqa: PLR0913, PLR0917 - options are parameters
    ct: Annotated[
        list[Path],
        typer.Option(
            "--ct",
            metavar="FILE|DIR",
            help="A CT: .nii/.nii.gz, .nrrd, or a folder with one DICOM series. Repeat.",
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
    licence: options.Licences = None,
    initial: options.Initial = None,
    pairs: Annotated[
        int,
        typer.Option(
            min=1, help="Degraded volumes on disk at a time (12 MB each); new ones replace old ones."
        ),
    ] = 48,
    validation_pairs: Annotated[int, typer.Option(min=1, help="Degraded volumes to validate on.")] = 12,
    steps: options.Steps = 9000,
    batch: options.Batch = 24,
    learning_rate: options.LearningRate = 5e-4,
    size: Annotated[
        options.Size, typer.Option(help="small trains on a CPU in an hour; base is for a GPU.")
    ] = options.Size.small,
    mixed_precision: options.Precision = options.MixedPrecision.no,
    seed: options.Seed = 0,
    debug: Debug = False,
) -> None:
    """Train the slab prior, which `preview`, `standard` and `sharp` use, on your own CTs.

    No measured pairs are needed: the CTs are degraded by the engine's own model of a scanner, by a separate
    process that keeps making new pairs during training. They need at least 24 x 96 x 96 voxels. Stop it at any time: the same
    command resumes from the last checkpoint. Never train on volumes that you mean to evaluate on.

    Example: `nullsplat train-slab-prior --ct a.nii.gz --ct b.nii.gz --validation-ct c.nii.gz --out slab-run
    --licence "a, b, c: QIN LUNG CT (TCIA), CC BY 3.0"`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.train_slab_prior import Request, run  # noqa: PLC0415 - --help must not import torch

        counts = (pairs, validation_pairs)
        settings = (steps, batch, learning_rate, size.value, mixed_precision.value, seed)
        run(
            Request(
                tuple(ct), tuple(validation_ct or ()), tuple(licence or ()), out, initial, counts, *settings
            )
        )

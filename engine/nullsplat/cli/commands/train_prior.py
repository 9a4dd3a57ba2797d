"""`nullsplat train-prior`: options and help of the command; `cli.work.train_prior` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli import archive_options as archive
from nullsplat.cli import training_options as options
from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Debug


def train_prior(  # noqa: PLR0913, PLR0917 - options are parameters
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", help="Checkpoints go here, the trained prior and its card into DIR/prior."
        ),
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data", metavar="DIR|ZIP", help="Radiographs: PNG, JPEG or DICOM (CR, DX). Repeat for more."
        ),
    ] = None,
    ct: Annotated[
        list[Path] | None,
        typer.Option(
            "--ct",
            metavar="FILE|DIR",
            help="A CT: .nii/.nii.gz, .nrrd, or a folder with one DICOM series. Repeat.",
        ),
    ] = None,
    from_archive: archive.FromArchive = None,
    archive_user: archive.User = None,
    archive_password_file: archive.PasswordFile = None,
    archive_limit: archive.Limit = 500,
    per_patient: archive.PerPatient = 10,
    modality: archive.Modality = "CR,DX",
    ca_file: archive.CaFile = None,
    licence: options.Licences = None,
    initial: options.Initial = None,
    steps: options.Steps = 8000,
    batch: options.Batch = 8,
    learning_rate: options.LearningRate = 4e-4,
    size: Annotated[
        options.Size, typer.Option(help="small trains on a CPU in hours; base is for a GPU.")
    ] = options.Size.small,
    mixed_precision: options.Precision = options.MixedPrecision.no,
    seed: options.Seed = 0,
    debug: Debug = False,
) -> None:
    """Train the X-ray prior of stage 1 on your own radiographs and CTs.

    Stop it at any time: the same command resumes from the last checkpoint. A GPU is used where there is one.
    A tenth of the patients is set aside for validation. Never train on volumes that you mean to evaluate on.

    Example: `nullsplat train-prior --data xrays.zip --ct ct1.nii.gz --ct ct2.nii.gz --out prior-run
    --licence "xrays.zip: NIH ChestX-ray14, no restriction on use"`

    Radiographs of your own archive are fetched by DICOMweb and kept below DIR/archive as pixels without names; what is
    there is not fetched again. `nullsplat train-prior --from-archive https://pacs/dicom-web --archive-user me --out DIR`
    """
    with readable_failures(debug=debug):
        credentials = (archive_user, archive_password_file, ca_file)
        archived = archive.archive_request(from_archive, credentials, modality, (archive_limit, per_patient))
        from nullsplat.cli.work.train_prior import Request, run  # noqa: PLC0415 - --help must not import torch

        settings = (initial, steps, batch, learning_rate, size.value, mixed_precision.value, seed)
        run(Request(tuple(data or ()), tuple(ct or ()), tuple(licence or ()), out, *settings, archived))

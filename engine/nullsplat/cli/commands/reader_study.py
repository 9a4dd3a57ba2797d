"""`nullsplat reader-study` and `reader-score`: options and help; `cli.work.reader_study` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Debug


def reader_study(  # noqa: PLR0913, PLR0917 - options are parameters
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder.")],
    truth: Annotated[
        list[Path],
        typer.Option(
            "--truth",
            metavar="VOLUME",
            help="A thin-slice CT: .nii/.nii.gz, .nrrd, or a folder with one DICOM series. Repeat.",
        ),
    ],
    scale: Annotated[
        str,
        typer.Option(
            metavar="bellN|thickN",
            help="How many slices become one, as in a helical (bell4) or a sequential scan (thick4, short 4).",
        ),
    ] = "bell4",
    noise: Annotated[
        float, typer.Option(metavar="HU", min=0, help="Noise that is added to the thick slices.")
    ] = 15.0,
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="Two to five of truth, trilinear, cubic, tv, preview, standard, sharp, paper.",
        ),
    ] = "cubic,preview,truth",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Random seed for order, noise and engine. Drawn at random if not given: a short one can be guessed.",
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Prepare a blinded reading: the same anatomy by several methods, as DICOM series that do not say which is which.

    OUT/reading is for the readers; OUT/key.json unblinds their sheets with `nullsplat reader-score`.

    Example: `nullsplat reader-study study --truth ct1.nii.gz --truth ct2.nii.gz --methods cubic,preview`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.reader_study import (  # noqa: PLC0415 - --help must not import torch
            StudyRequest,
            prepare,
            thick_slices,
        )

        prepare(StudyRequest(out, tuple(truth), thick_slices(scale, noise), methods, device, seed))


def reader_score(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="The study's key.json.")],
    sheets: Annotated[
        list[Path], typer.Argument(metavar="SHEET...", help="Filled scores.csv, named after each reader.")
    ],
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write the figures to this file.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the resampling.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the report if it exists.")] = False,
    debug: Debug = False,
) -> None:
    """Unblind the sheets of a reader study: mean scores and preference rates with 95 % intervals.

    Intervals come from resampling cases; they hold for other cases, not for other readers.
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.reader_study import Report, score  # noqa: PLC0415 - --help must not import torch

        score(key, sheets, None if report is None else Report(report, overwrite), seed)

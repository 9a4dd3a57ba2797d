"""`nullsplat eval-pair`: options and help of the command; `cli.work.evaluate_pair` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Computes, Debug, Device


def evaluate_pair(  # noqa: PLR0913, PLR0917 - options are parameters
    thick: Annotated[
        Path, typer.Argument(metavar="THICK", help="The thick series: DICOM folder, .nii.gz or .nrrd.")
    ],
    thin: Annotated[
        Path, typer.Argument(metavar="THIN", help="The thin one of the same scan, which is the truth.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="pair.json and pair.md go here.")],
    methods: Annotated[
        str, typer.Option(metavar="NAME,...", help="What is compared; names as in `nullsplat eval`.")
    ] = "trilinear,cubic,tv,preview-no-stage1,preview",
    slice_profile: Annotated[
        str,
        typer.Option(
            metavar="auto|bell|box|MEASURED",
            help="Slice profile that the methods are told, as in `nullsplat sr`.",
        ),
    ] = "auto",
    slice_thickness: Annotated[
        float | None,
        typer.Option(
            metavar="MM", min=0.01, help="Slice thickness of THICK if it is a file, which does not record it."
        ),
    ] = None,
    centre: Annotated[
        str | None,
        typer.Option(metavar="Y,X", help="Score only this many pixels in the middle of each slice."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for the methods.")] = 0,
    device: Computes = Device.auto,
    debug: Debug = False,
) -> None:
    """Measure on a real scan that was reconstructed thick and thin, without any simulation.

    Aligns the two by their coordinates, measures the scanner's slice profile by least squares, and compares every
    method's slices with the thin ones. The profile is printed as an option of `nullsplat sr` and as a line of a rule.

    Example: `nullsplat eval-pair scan/5mm scan/1mm --out pair`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.evaluate_pair import Request, run  # noqa: PLC0415 - --help must not import torch

        run(Request(thick, thin, methods, slice_profile, slice_thickness, centre, seed, device.value, out))

"""`nullsplat render-field`: options and help; `cli.work.render_field` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Debug


def render_field(  # noqa: PLR0913, PLR0917 - options are parameters
    field: Annotated[
        Path, typer.Argument(metavar="FIELD", help="A .ply or .safetensors of `nullsplat sr --field`.")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A .nii or .nii.gz.")],
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="CT",
            help="Cover this volume instead of the field's own: .nii/.nii.gz, .nrrd, or a DICOM folder.",
        ),
    ] = None,
    spacing: Annotated[
        str | None, typer.Option(metavar="Z,Y,X", help="Voxel spacing in mm, about the same centre.")
    ] = None,
    shape: Annotated[
        str | None, typer.Option(metavar="Z,Y,X", help="Number of voxels over the same extent.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUTPUT if it exists.")] = False,
    debug: Debug = False,
) -> None:
    """Put a field of signed Gaussians on any grid: what stage 2 added to its base volume, as a difference in HU.

    The field knows its position in the patient, so a volume of any position and orientation can be covered.

    Example: `nullsplat render-field field.ply finer.nii.gz --like ct.nii.gz --spacing 0.5,0.35,0.35`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work import render_field as work  # noqa: PLC0415 - --help must not import torch

        work.render_field(work.RenderRequest(field, target, like, spacing, shape, device, overwrite))

"""Options that several commands have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Device(StrEnum):
    """Which processor computes."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Computes = Annotated[Device, typer.Option(help="auto takes a GPU where there is one.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the full traceback when something fails.")]

Truths = Annotated[
    list[Path] | None,
    typer.Argument(metavar="VOLUME...", help="The truths: .nii/.nii.gz, .nrrd or DICOM folders."),
]
PublicCts = Annotated[
    bool, typer.Option("--public", help="Also the three public chest CTs, at half resolution.")
]
PublicCt = Annotated[bool, typer.Option("--public", help="Also the public chest CT, at half resolution.")]
Noise = Annotated[
    str, typer.Option(metavar="HU,...", help="Standard deviation of the added noise; comma-separated.")
]
Crop = Annotated[str | None, typer.Option(metavar="Z,Y,X", help="Use only this many voxels in the middle.")]

"""Does the work of `nullsplat render-field`: a field of signed Gaussians on any grid."""

from dataclasses import dataclass, replace
from pathlib import Path

from nullsplat.cli.outputs import check_absent, check_files
from nullsplat.core.device import resolve_device
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.io.nifti import is_nifti, write_nifti
from nullsplat.io.volumes import read_volume
from nullsplat.splat.field.files import load_field


@dataclass(frozen=True)
class RenderRequest:
    """What was asked for on the command line; see `nullsplat render-field --help`."""

    field: Path
    target: Path
    like: Path | None
    spacing: str | None
    shape: str | None
    device: str
    overwrite: bool = False


def render_field(request: RenderRequest) -> None:
    """Run the command and say where the result is.

    Raises:
        InputError: the field, the grid or the output cannot be used.
        StorageError: the result cannot be written.
    """
    if not is_nifti(request.target):
        raise ConfigurationError(f"OUTPUT must be a .nii or .nii.gz, got {request.target}")
    if request.spacing is not None and request.shape is not None:
        raise ConfigurationError("give --spacing or --shape, not both: one follows from the other")
    check_files(request.field, [request.target])
    check_absent([request.target], overwrite=request.overwrite)
    placed = load_field(request.field)
    grid = _grid(request, placed.grid)
    placed = replace(placed, gaussians=placed.gaussians.to(resolve_device(request.device)))
    write_nifti(Volume(placed.on(grid).cpu().numpy(), grid), request.target)
    slices, rows, columns = grid.shape
    print(
        f"wrote {request.target}: {len(placed.gaussians)} Gaussians on {slices} slices of {rows} x {columns}"
    )


def _grid(request: RenderRequest, fitted_on: Geometry) -> Geometry:
    """The grid of the field or of another volume, with other voxels if they were asked for."""
    extent = fitted_on if request.like is None else read_volume(request.like).geometry
    if request.spacing is not None:
        dz, dy, dx = _three("--spacing", request.spacing)
        return extent.with_spacing((dz, dy, dx))
    if request.shape is not None:
        nz, ny, nx = _three("--shape", request.shape)
        if any(n != int(n) for n in (nz, ny, nx)):
            raise ConfigurationError(f"--shape must be three whole numbers, got {request.shape!r}")
        return extent.resampled((int(nz), int(ny), int(nx)))
    return extent


def _three(option: str, text: str) -> tuple[float, float, float]:
    try:
        z, y, x = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigurationError(
            f"{option} must be three numbers with commas, such as 1,0.7,0.7, got {text!r}"
        ) from error
    if not min(z, y, x) > 0 or max(z, y, x) == float("inf"):
        raise ConfigurationError(f"{option} must be above 0 and finite along every axis, got {text!r}")
    return z, y, x

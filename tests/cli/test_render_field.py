"""`nullsplat render-field`: values and mass on any grid are those of the formula."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.core.units import hu_difference_to_mu
from nullsplat.core.volume import Geometry, Volume
from nullsplat.io.nifti import read_nifti, write_nifti
from nullsplat.splat.field.files import save_field
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.placement import PlacedField

PEAK, SIGMA, PLACE = -100.0, (3.0, 4.0, 5.0), (2.0, -3.0, 1.0)
GRID = Geometry((16, 24, 24), (3.0, 2.0, 2.0), (-23.0, -23.0, 40.0))


@pytest.fixture(params=["ply", "safetensors"])
def field(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One Gaussian of PEAK HU and SIGMA mm along (x, y, z), PLACE mm from the middle of GRID."""
    gaussians = SignedGaussians(
        torch.tensor([PLACE]),
        torch.tensor([SIGMA]).log(),
        torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        torch.tensor([hu_difference_to_mu(2 * PEAK)]),
        torch.tensor(0.5),
    )
    path = tmp_path / f"field.{request.param}"
    save_field(PlacedField(gaussians, GRID), path)
    return path


def rendered(field: Path, *options: object) -> Volume:
    target = field.with_name("out.nii.gz")
    arguments = [
        "render-field",
        str(field),
        str(target),
        "--device",
        "cpu",
        "--overwrite",
        *map(str, options),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert "1 Gaussians" in result.stdout
    return read_nifti(target)


def analytic(geometry: Geometry) -> np.ndarray:
    """The Gaussian at every voxel of an axial grid, in HU."""
    grids = np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij")
    q = np.zeros(geometry.shape)
    for axis in range(3):
        position = geometry.origin[2 - axis] + geometry.spacing[axis] * grids[axis]
        q += ((position - GRID.centre[2 - axis] - PLACE[2 - axis]) / SIGMA[2 - axis]) ** 2
    return PEAK * np.exp(-q / 2)


def mass(volume: Volume) -> float:
    """HU times mm^3."""
    return float(volume.hu.sum(dtype=np.float64) * np.prod(volume.geometry.spacing))


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ([], (16, 24, 24)),
        (["--spacing", "1.5,1,1"], (32, 48, 48)),
        (["--shape", "20,30,36"], (20, 30, 36)),
    ],
)
def test_values_and_mass_are_those_of_the_formula(
    field: Path, options: list[str], shape: tuple[int, int, int]
) -> None:
    volume = rendered(field, *options)
    assert volume.geometry.shape == shape
    assert volume.geometry.centre == pytest.approx(GRID.centre, abs=1e-4)
    # Beyond four deviations nothing is drawn: 3.4e-4 of the peak, and 0.11 % of the mass.
    np.testing.assert_allclose(volume.hu, analytic(volume.geometry), atol=3.5e-4 * -PEAK)
    exact = PEAK * (2 * math.pi) ** 1.5 * math.prod(SIGMA)
    assert mass(volume) == pytest.approx(exact, rel=2e-3)


def test_another_volume_is_covered_where_it_lies(field: Path, tmp_path: Path) -> None:
    like = Geometry((10, 20, 20), (2.0, 1.5, 1.5), (-8.0, -20.0, 55.0))
    write_nifti(Volume(np.zeros(like.shape, np.float32), like), tmp_path / "ct.nii")
    volume = rendered(field, "--like", tmp_path / "ct.nii")
    assert volume.geometry == like
    np.testing.assert_allclose(volume.hu, analytic(like), atol=3.5e-4 * -PEAK)
    finer = rendered(field, "--like", tmp_path / "ct.nii", "--spacing", "1,1,1")
    assert finer.geometry.shape == (20, 30, 30)
    np.testing.assert_allclose(finer.hu, analytic(finer.geometry), atol=3.5e-4 * -PEAK)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--spacing", "1,1,1", "--shape", "4,4,4"], "not both"),
        (["--spacing", "1,1"], "three numbers"),
        (["--spacing", "0,1,1"], "above 0"),
        (["--spacing", "inf,1,1"], "finite"),
        (["--shape", "4,4,4.5"], "whole numbers"),
        (["--shape", "a,b,c"], "three numbers"),
        (["--like", "nothing.nii"], "nothing.nii"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(field: Path, options: list[str], complaint: str) -> None:
    target = field.with_name("out.nii")
    result = CliRunner().invoke(app, ["render-field", str(field), str(target), *options])
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not target.exists()


def test_what_is_no_field_or_no_output_is_named(field: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["render-field", str(tmp_path / "no.ply"), str(tmp_path / "out.nii")])
    assert (result.exit_code, "no.ply" in result.stderr) == (2, True)
    result = CliRunner().invoke(app, ["render-field", str(field), str(tmp_path / "out.mha")])
    assert (result.exit_code, "OUTPUT must be" in result.stderr) == (2, True)


def test_no_file_is_replaced_unless_that_was_asked_for(field: Path) -> None:
    target = field.with_name("out.nii.gz")
    target.write_text("somebody's result")
    result = CliRunner().invoke(app, ["render-field", str(field), str(target), "--device", "cpu"])
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert target.read_text() == "somebody's result"

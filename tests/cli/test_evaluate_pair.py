"""`nullsplat eval-pair` from files to its page."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from nullsplat.evaluation.data.degrade import degrade, protocol
from nullsplat.io.nifti import write_nifti

RUNNER = CliRunner()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    hu = np.repeat(np.random.default_rng(2).uniform(-300, 300, (16, 2, 2)), 3, axis=0).astype(np.float32)
    hu = np.kron(hu, np.ones((1, 8, 8), np.float32))  # flat within the slices, so that only z is to be found
    thin = Volume(hu, Geometry((48, 16, 16), (1.0, 0.8, 0.8), origin=(5.0, 6.0, 7.0)))
    low = degrade(hu, protocol("bell4"))
    thick = Volume(low, thin.geometry.resampled((12, 16, 16)))
    write_ct_series(thick, tmp_path / "thick", SeriesDescription(spiral_pitch=1.0, slice_thickness_mm=4.0))
    write_nifti(thin, tmp_path / "thin.nii.gz")
    return tmp_path / "thick", tmp_path / "thin.nii.gz"


def test_a_pair_is_measured_and_written_down(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = RUNNER.invoke(
        app, ["eval-pair", *map(str, pair), "--out", str(out), "--methods", "cubic,tv", "--centre", "12,12"]
    )
    assert result.exit_code == 0, result.output
    content = json.loads((out / "pair.json").read_text())
    assert content["assumed"] == {"profile": "bell", "why": "Spiral Pitch Factor 1", "thickness_mm": 4.0}
    assert content["measured"]["fwhm_mm"] == pytest.approx(4.0, abs=0.3)
    cubic, tv = (row["scores"]["psnr"] for row in content["methods"])
    assert tv > cubic  # it is told the bell
    page = (out / "pair.md").read_text()
    assert "| cubic |" in page
    option = content["measured"]["option"]
    assert f'`--slice-profile {option}`, or in a rule `slice_profile = "{option}"`' in page
    assert "undecided" in page  # no noise in it


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--centre", "12"), "--centre must be"),
        (("--slice-profile", "bel"), "profile must be"),
        (("--methods", "x"), "methods are"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    pair: tuple[Path, Path], tmp_path: Path, options: tuple[str, str], what: str
) -> None:
    result = RUNNER.invoke(app, ["eval-pair", *map(str, pair), "--out", str(tmp_path / "out"), *options])
    assert result.exit_code == 2
    assert what in result.output

"""The tutorial's code and the examples run as they stand, on a tiny series and with few views and steps."""

import dataclasses
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from nullsplat.io.nifti import write_nifti
from nullsplat.io.volumes import read_volume
from nullsplat.pipeline.presets import PRESETS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {path.name: path for path in (ROOT / "examples").glob("*.py")}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with a series and a file, and a preview that is over in a second."""
    preview = PRESETS["preview"]
    fit = dataclasses.replace(preview.fit, count=100, most=100, steps=10)
    monkeypatch.setitem(PRESETS, "preview", dataclasses.replace(preview, views=4, fit=fit))
    z, y, x = np.mgrid[:6, :32, :32]
    hu = np.where((y - 16) ** 2 + (x - 16) ** 2 < 150, 40.0, -1000.0) + np.random.normal(0, 10, z.shape)  # noqa: NPY002
    volume = Volume(hu.astype(np.float32), Geometry((6, 32, 32), (8.0, 2.0, 2.0)))
    write_ct_series(volume, tmp_path / "scans" / "chest", SeriesDescription(slice_thickness_mm=8.0))
    write_nifti(volume, tmp_path / "ct.nii.gz")
    monkeypatch.chdir(tmp_path)


def test_the_tutorial_runs_from_its_first_block_to_its_last() -> None:
    page = ROOT / "docs" / "python.md"
    names: dict[str, object] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)  # noqa: S102 - our own page
    assert len(blocks) >= 9
    assert read_volume("chest-sr.nii.gz").geometry.shape == (24, 32, 32)
    assert Path("run/result.npz").is_file()


def run(name: str, *arguments: str) -> None:
    sys.argv = [name, *arguments]
    runpy.run_path(str(EXAMPLES[name]), run_name="__main__")


@pytest.fixture(autouse=True)
def arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)  # put back after each test


def figures(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[\d.]+(?:e-?\d+)?(?= HU from|$)", text, re.M)]


def test_a_series_is_super_resolved_with_maps(capsys: pytest.CaptureFixture[str]) -> None:
    run("super_resolve.py", "scans/chest", "sr.nii.gz", "--scale", "2", "--samples", "2")
    assert "Result(12 slices of 32 x 32" in capsys.readouterr().out
    maps = [read_volume(f"{kind}sr.nii.gz") for kind in ("", "null-space-", "deviation-")]
    assert {volume.geometry.shape for volume in maps} == {(12, 32, 32)}


def test_one_stage_is_run_alone(capsys: pytest.CaptureFixture[str]) -> None:
    run("one_stage.py", "scans/chest", "refined.nii.gz")
    assert max(figures(capsys.readouterr().out)) < 15
    assert read_volume("refined.nii.gz").geometry.shape == (24, 32, 32)


def test_another_librarys_solver_finds_what_the_operators_saw(capsys: pytest.CaptureFixture[str]) -> None:
    run("operators_elsewhere.py")
    error, difference = figures(capsys.readouterr().out)
    assert error < 0.2
    assert difference < 1e-8


def test_a_prior_of_ones_own_is_held_to_the_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    run("your_own_prior.py", "scans/chest", "sharp.nii.gz")
    proposal, result = figures(capsys.readouterr().out)
    assert result < 0.5 * proposal


def test_every_example_is_run() -> None:
    tested = set(re.findall(r'run\("([\w.]+)"', Path(__file__).read_text()))
    assert tested == set(EXAMPLES)

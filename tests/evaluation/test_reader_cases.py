from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pydicom import dcmread
from scipy import ndimage
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.data.degrade import protocol
from nullsplat.evaluation.reader_study import cases
from nullsplat.evaluation.reader_study.cases import Making, make_case
from nullsplat.evaluation.reader_study.key import read_key
from nullsplat.io.nifti import write_nifti
from nullsplat.pipeline.config import PipelineConfig

GRID = Geometry((9, 12, 10), (1.25, 0.7, 0.6), (-10.5, -20.25, 300.0))


def make_volume() -> Volume:
    z, y, x = np.mgrid[:9, :12, :10].astype(np.float32)
    return Volume(np.where((y - 6) ** 2 + (x - 5) ** 2 < 16, 40 + 3 * z, -1000).astype(np.float32), GRID)


def making(*methods: str, noise_hu: float = 0.0) -> Making:
    return Making(protocol("thick4", noise_hu), methods, torch.device("cpu"), 3, lambda *_: None)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Volume, PipelineConfig]]:
    """Repeat slices instead of computing; records what the engine was given."""
    seen: list[tuple[Volume, PipelineConfig]] = []

    def repeat(volume: Volume, config: PipelineConfig, **_: Any) -> SimpleNamespace:
        seen.append((volume, config))
        hu = volume.hu.repeat(int(config.scale[0]), 0)
        grid = volume.geometry.resampled((hu.shape[0], *volume.geometry.shape[1:]))
        return SimpleNamespace(volume=Volume(hu, grid))

    monkeypatch.setattr(cases, "super_resolve", repeat)
    return seen


def test_every_method_starts_from_the_same_thick_slices(quick: list[tuple[Volume, PipelineConfig]]) -> None:
    case = make_case(make_volume(), making("cubic", "preview", "truth"))
    whole = make_volume().hu[:8]  # the ninth slice fills no group of four
    thick = whole.reshape(2, 4, 12, 10).mean(1)
    (measured, config), *_ = quick
    np.testing.assert_array_equal(measured.hu, np.rint(thick))
    assert measured.geometry.spacing == pytest.approx((5.0, 0.7, 0.6))
    assert (config.scale, config.preset) == ((4, 1, 1), "preview")
    position = (np.arange(8) + 0.5) / 4 - 0.5
    grid = np.meshgrid(position, np.arange(12), np.arange(10), indexing="ij")
    cubic = ndimage.map_coordinates(np.rint(thick).astype(np.float64), grid, order=3, mode="nearest")
    np.testing.assert_allclose(case["cubic"].hu, cubic, atol=0.01)
    np.testing.assert_array_equal(case["truth"].hu, whole)


def test_all_methods_lie_on_exactly_one_grid(quick: list[tuple[Volume, PipelineConfig]]) -> None:
    case = make_case(make_volume(), making("cubic", "preview", "truth"))
    assert len({volume.geometry for volume in case.values()}) == 1


def test_noise_is_added_to_what_the_methods_see_and_not_to_the_truth() -> None:
    quiet, noisy = (make_case(make_volume(), making("cubic", "truth", noise_hu=hu)) for hu in (0.0, 15.0))
    np.testing.assert_array_equal(quiet["truth"].hu, noisy["truth"].hu)
    assert 5 < np.std(noisy["cubic"].hu - quiet["cubic"].hu) < 20


def test_a_method_that_nobody_knows_is_refused_before_the_work() -> None:
    with pytest.raises(ConfigurationError, match="methods are truth, trilinear, cubic, lanczos, tv, preview"):
        making("cubic", "magic")


def test_the_command_writes_a_study(
    quick: list[tuple[Volume, PipelineConfig]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["reader-study", str(tmp_path / "study"), "--methods", "cubic,preview"]
    for name in ("a", "b"):
        write_nifti(make_volume(), tmp_path / f"{name}.nii.gz")
        words += ["--truth", str(tmp_path / f"{name}.nii.gz")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    key = read_key(tmp_path / "study" / "key.json")
    assert sorted(key.sources) == ["a.nii.gz", "b.nii.gz"]
    assert key.seed > 2**32  # drawn at random: a shorter one has a chance of one in 2**30
    files = list((tmp_path / "study" / "reading").rglob("*.dcm"))
    assert len(files) == 2 * 2 * 8
    assert all(dcmread(path).ContentQualification == "RESEARCH" for path in files)
    assert len(quick) == 2


@pytest.mark.parametrize(
    "words", [("--methods", "cubic,magic"), ("--truth", "nowhere.nii.gz"), ("--methods", "cubic")]
)
def test_bad_options_end_with_code_2_and_write_nothing(words: tuple[str, str], tmp_path: Path) -> None:
    write_nifti(make_volume(), tmp_path / "a.nii.gz")
    out = tmp_path / "study"
    done = CliRunner().invoke(app, ["reader-study", str(out), "--truth", str(tmp_path / "a.nii.gz"), *words])
    assert done.exit_code == 2
    assert not out.exists()


@pytest.mark.parametrize("command", ["bench", "reader-study", "reader-score"])
def test_the_commands_explain_themselves(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.output

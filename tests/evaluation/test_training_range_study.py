"""The range of a prior's training: drawn as training draws, and written so that every run finds it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.cli.work import training_range as work
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.studies import training_range as study
from nullsplat.evaluation.studies.training_range import drawn_figures, spans_of
from nullsplat.io.nifti import write_nifti
from nullsplat.prior import weights
from nullsplat.prior.series_figures import CONTRADICTED, FIGURES
from nullsplat.prior.task import Refinement
from nullsplat.prior.training_range import FILE, training_range_of


class Silent:
    """A prior that adds nothing and is sure of it; it keeps what it was asked."""

    def __init__(self) -> None:
        self.tasks: list[object] = []

    def refine_volume(self, base_hu: Tensor, cubic_hu: Tensor, task: object, *_: object) -> Refinement:
        self.tasks.append(task)
        return Refinement(base_hu, torch.ones_like(base_hu))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Silent:
    monkeypatch.setattr(study, "LARGEST", (48, 48, 48))
    prior = Silent()
    monkeypatch.setattr(work, "load_prior", lambda *_: prior)
    return prior


def ct(noise_hu: float = 20.0) -> Volume:
    hu = np.full((48, 48, 48), -1000, np.float32)
    hu[:, 8:40, 8:40] = np.random.default_rng(0).normal(40, noise_hu, (48, 32, 32))
    return Volume(hu, Geometry(hu.shape, (1.0, 0.7, 0.7)))


def test_series_are_drawn_anew_and_repeatably_by_their_number(small: Silent) -> None:
    subject = Subject("a", ct())
    found = [drawn_figures(subject, number, small) for number in (0, 1, 0)]
    assert found[0] == found[2]
    assert found[0] != found[1]
    assert set(found[0]) == set(FIGURES)


def test_a_series_has_the_factors_that_training_draws(small: Silent) -> None:
    found = [drawn_figures(Subject("a", ct()), number, small) for number in range(4)]
    for one in found:
        assert 1.6 <= one["slice_factor"] <= 8.1
        assert one["pixel_factor"] == 1 or one["pixel_factor"] == pytest.approx(one["slice_factor"], rel=0.05)
    assert len({one["slice_factor"] for one in found}) > 1


def test_the_range_is_from_the_lowest_to_the_highest_with_room_beyond() -> None:
    one, other = (
        {"noise_hu": hu, "wanted_pixel_mm": 1.0, "metal_share": share}
        for hu, share in ((10, 0.0), (40, 1e-4))
    )
    assert spans_of([one, other]) == {
        "noise_hu": (8, 50),
        "wanted_pixel_mm": (0.5, 2.0),
        "metal_share": (0.0, pytest.approx(1.1e-4)),
    }


def test_the_command_writes_what_a_run_finds_beside_the_weights(small: Silent, tmp_path: Path) -> None:
    write_nifti(ct(), tmp_path / "mine.nii")
    out = tmp_path / "out"
    arguments = ["training-range", str(tmp_path / "mine.nii"), "--draws", "2", "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "2 series of 1 CTs" in result.stdout
    prior = tmp_path / "prior"
    prior.mkdir()
    shutil.copy(weights.locate(weights.BLOCK) / weights.MANIFEST, prior)
    shutil.copy(out / FILE, prior)
    found = training_range_of(str(prior))
    assert found is not None
    assert found.facts["volumes"][0]["name"] == "mine"
    assert set(found.spans) == set(FIGURES)
    assert found.spans[CONTRADICTED][0] >= 0
    assert json.loads((out / FILE).read_text())["series"] == len(small.tasks) == 2


def test_a_prior_of_xrays_has_no_such_range(tmp_path: Path) -> None:
    write_nifti(ct(), tmp_path / "mine.nii")
    arguments = [
        "training-range",
        str(tmp_path / "mine.nii"),
        "--prior",
        "xray-small",
        "--out",
        str(tmp_path),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "a prior of slabs was needed, xray-small is none" in result.stderr


def test_one_odd_series_of_fifty_makes_no_range() -> None:
    usual = [{"noise_hu": float(hu)} for hu in range(10, 59)]
    assert spans_of([*usual, {"noise_hu": 500.0}]) == spans_of([{"noise_hu": 11.0}, {"noise_hu": 58.0}])
    assert spans_of([*usual, {"noise_hu": 500.0}, {"noise_hu": 500.0}])["noise_hu"][1] == 625

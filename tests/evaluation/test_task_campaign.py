"""Lesions in, results out: what is shown, missed and invented, and the page that says so."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.data.degrade import degrade, protocol
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.methods.registry import find_methods
from nullsplat.evaluation.tasks import run
from nullsplat.evaluation.tasks.figures import Trial, figures_of
from nullsplat.evaluation.tasks.lesions import window
from nullsplat.evaluation.tasks.page import BEGIN
from nullsplat.evaluation.tasks.rounds import Round, make_round
from nullsplat.evaluation.tasks.run import MEASURED, TRUTH, TaskCampaign, run_tasks
from nullsplat.evaluation.tasks.tables import tables
from nullsplat.io.nifti import write_nifti

HOW = protocol("thick4")


def body() -> Subject:
    hu = np.random.default_rng(0).normal(40, 4, (44, 76, 76)).astype(np.float32)
    hu[:, :, 44:] = np.random.default_rng(1).normal(-850, 4, hu[:, :, 44:].shape)
    return Subject("body", Volume(hu, Geometry(hu.shape, (1.0, 1.0, 1.0))))


@pytest.fixture(scope="module")
def made() -> Round:
    return make_round(body(), HOW, 0)


def trials(made: Round, first: np.ndarray, second: np.ndarray) -> list[Trial]:
    return [Trial(**one) for one in figures_of(made, (first, second))["trials"]]


def test_every_place_has_its_lesion_in_one_of_both_series_and_nothing_else_differs(made: Round) -> None:
    first, second = (series.truth.hu for series in made.series)
    elsewhere = np.ones(first.shape, bool)
    for i, lesion in enumerate(made.lesions):
        there, gone = (first, second) if i % 2 == 0 else (second, first)
        assert there[lesion.place] - gone[lesion.place] == pytest.approx(lesion.contrast_hu, abs=1e-3)
        elsewhere[window(lesion.place, made.spacing)] = False
    assert (first[elsewhere] == second[elsewhere]).all()
    for series in made.series:
        np.testing.assert_array_equal(series.measured.hu, degrade(series.truth.hu, HOW, 0))


def test_another_round_has_other_lesions_at_the_same_places(made: Round) -> None:
    other = make_round(body(), HOW, 1)
    assert {one.place for one in other.lesions} == {one.place for one in made.lesions}
    assert set(other.lesions) != set(made.lesions)


def test_the_truth_shows_all_and_invents_nothing(made: Round) -> None:
    found = trials(made, *(series.truth.hu for series in made.series))
    assert len(found) == len(made.lesions)
    assert all(trial.shown and not trial.invented for trial in found)


def test_what_shows_no_lesion_misses_all_and_what_shows_them_everywhere_invents_all(made: Round) -> None:
    first, second = (series.truth.hu for series in made.series)
    plain = body().volume.hu
    assert not any(t.shown or t.invented for t in trials(made, plain, plain))
    both = plain + (first - plain) + (second - plain)
    assert all(t.shown and t.invented for t in trials(made, both, both))


def test_a_volume_without_quiet_places_is_refused() -> None:
    noisy = Volume(
        np.random.default_rng(0).normal(40, 400, (44, 60, 60)).astype(np.float32),
        Geometry((44, 60, 60), (1.0, 1.0, 1.0)),
    )
    with pytest.raises(GeometryError, match="must have 4 quiet places for lesions, it has 0"):
        make_round(Subject("noisy", noisy), HOW, 0)


def test_what_is_finished_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = TaskCampaign(
        [body()], [HOW], find_methods(["cubic"]), 0, torch.device("cpu"), tmp_path, rounds=1
    )
    told: list[float] = []
    before = run_tasks(campaign, lambda fraction, note="": told.append(fraction))
    assert [record["method"] for record in before] == [TRUTH, MEASURED, "cubic"]
    assert told[-1] == 1.0
    monkeypatch.setattr(run, "make_round", None)
    assert run_tasks(campaign, lambda *_: None) == json.loads(json.dumps(before))


def test_the_tables_have_the_truth_first_and_what_is_thick_below_what_is_thin(tmp_path: Path) -> None:
    campaign = TaskCampaign([body()], [HOW], [], 0, torch.device("cpu"), tmp_path, rounds=1)
    lines = tables(run_tasks(campaign, lambda *_: None)).splitlines()
    assert lines[0] == "### thick4"
    head = next(line for line in lines if "shown" in line).split(" | ")
    truth, thick = (
        [line.split(" | ") for line in lines if line.startswith(f"| {name} ")] for name in (TRUTH, MEASURED)
    )
    shown, invented, kept = (head.index(name) for name in ("shown", "invented", "contrast kept"))
    for row in truth[:2]:
        assert (row[shown], row[invented], row[kept]) == ("100%", "0%", "100%")
    assert float(thick[0][kept].rstrip("%")) < 80
    assert truth[2][1] == "beyond"
    assert float(thick[2][1].removesuffix("/mm")) < 0.3


def test_the_command_writes_tables_and_leaves_what_people_wrote_on_the_page(tmp_path: Path) -> None:
    write_nifti(body().volume, tmp_path / "body.nii")
    page = tmp_path / "tasks.md"
    page.write_text(f"# Tasks\n\nWhat they say.\n\n{BEGIN}\nold figures\n")
    arguments = ["eval", str(tmp_path / "body.nii"), "--task", "--scale", "thick4", "--methods", "cubic"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out"), "--page", str(page)])
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert text.startswith("# Tasks\n\nWhat they say.\n\n")
    assert "old figures" not in text
    assert "| cubic |" in text
    assert len(json.loads((tmp_path / "out" / "tasks.json").read_text())["cases"]) == 3


def test_blind_methods_are_not_asked_for_tasks(tmp_path: Path) -> None:
    write_nifti(body().volume, tmp_path / "body.nii")
    arguments = ["eval", str(tmp_path / "body.nii"), "--task", "--blind", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "leave --blind out" in result.stderr

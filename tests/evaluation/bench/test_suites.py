import dataclasses
import json
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.core.errors import ConfigurationError, NullSplatError
from nullsplat.evaluation.bench import plain_loops, workloads
from nullsplat.evaluation.bench.bandwidth import LABEL
from nullsplat.evaluation.bench.packages import Missing, optional_package
from nullsplat.evaluation.bench.projection import ASTRA
from nullsplat.evaluation.bench.random_gaussians import blobs, footprints
from nullsplat.evaluation.bench.splatting import GSPLAT, PLAIN
from nullsplat.evaluation.bench.suites import SUITES, chosen_parts, run_suites
from nullsplat.evaluation.bench.whole_runs import phantom

CPU = torch.device("cpu")
SMALL = ("memory", "projector", "project", "integrate", "voxelise", "upsampling")


@pytest.fixture
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = workloads.WORKLOADS["tiny"]
    small = dataclasses.replace(
        tiny, volume=(4, 16, 16), views=3, gaussians=20, detector=(16, 20), grid=(4, 12, 16), copied_mib=1
    )
    monkeypatch.setitem(workloads.WORKLOADS, "tiny", small)


def without_astra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "astra", None)


def test_every_part_is_run_and_the_result_follows_the_schema(
    smaller: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_astra(monkeypatch)
    told: list[str] = []
    result = run_suites(workloads.conditions("tiny", 2), SMALL, told.append)
    text = resources.files("nullsplat.evaluation.bench").joinpath("result.schema.json").read_text()
    jsonschema.validate(result.as_dict(), json.loads(text))
    assert told == list(SMALL)
    assert {row.part for row in result.rows} == set(SMALL)
    assert all(len(row.ours.seconds) == 2 for row in result.rows)
    found = {(row.kernel, row.reference) for row in result.rows}
    for way in ("forward", "backward"):
        assert {(f"project {way}", GSPLAT), (f"integrate {way}", PLAIN), (f"integrate {way}", LABEL)} <= found
        assert (f"voxelise {way}", LABEL) in found


def test_the_projector_without_astra_says_so_and_is_still_timed(
    smaller: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_astra(monkeypatch)
    result = run_suites(workloads.conditions("tiny", 1), ["projector"])
    rows = [row for row in result.rows if row.reference == ASTRA]
    assert [row.kernel for row in rows] == ["projector forward", "projector adjoint"]
    assert all(row.ratio is None and row.ours.median_ms > 0 for row in rows)
    assert all("nullsplat[bench]" in row.note or "cannot be loaded" in row.note for row in rows)


def test_astra_gives_the_same_answer_where_it_is_installed(smaller: None) -> None:
    pytest.importorskip("astra", exc_type=ImportError)
    rows = run_suites(workloads.conditions("tiny", 1), ["projector"]).rows  # checks agreement before timing
    assert all(row.ratio is not None for row in rows)


@pytest.mark.parametrize("broken", ["forward", "backward"])
def test_loops_with_another_answer_are_not_timed(
    smaller: None, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    right = getattr(plain_loops, broken)
    monkeypatch.setattr(plain_loops, broken, lambda *given: 1.01 * right(*given))
    with pytest.raises(NullSplatError, match=f"integrate {broken}: both ways must agree"):
        run_suites(workloads.conditions("tiny", 1), ["integrate"])


@pytest.mark.slow
def test_the_stages_are_timed_by_the_pipelines_own_report(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = dataclasses.replace(workloads.WORKLOADS["tiny"], phantom=(12, 24, 24), copied_mib=1)
    monkeypatch.setitem(workloads.WORKLOADS, "tiny", tiny)
    rows = run_suites(workloads.conditions("tiny", 1), ["stages"]).rows
    assert [row.kernel for row in rows] == ["stage1", "stage2", "consistency"]
    assert all(row.ours.median_ms > 0 and row.shapes["to"] == (12, 24, 24) for row in rows)


def test_a_package_that_is_not_there_is_not_installed() -> None:
    missing = optional_package("nullsplat_has_no_such_friend")
    assert isinstance(missing, Missing)
    assert missing.reason.startswith("not installed")
    assert optional_package("json") is json


def test_a_package_that_breaks_on_import_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_friend.py").write_text("raise ImportError('libcudart.so.12 is not there')")
    (tmp_path / "needy_friend.py").write_text("import nullsplat_has_no_such_friend")
    monkeypatch.syspath_prepend(tmp_path)
    for name, reason in (("broken_friend", "libcudart"), ("needy_friend", "no_such_friend")):
        missing = optional_package(name)
        assert isinstance(missing, Missing)
        assert missing.reason.startswith("cannot be loaded")
        assert reason in missing.reason


def test_parts_are_run_in_their_own_order() -> None:
    assert chosen_parts("") == tuple(SUITES)
    assert chosen_parts("upsampling, projector") == ("projector", "upsampling")
    with pytest.raises(ConfigurationError, match="projectr"):
        chosen_parts("projectr")


def test_gaussians_have_the_deviations_that_they_promise() -> None:
    _, conics, _ = footprints(50, (10, 20), CPU)
    a, b, c = conics[0].detach().numpy().astype(np.float64).T
    two = 1 / np.sqrt(np.linalg.eigvalsh(np.array([[a, b], [b, c]]).transpose(2, 0, 1)))
    _, precisions, _ = blobs(50, (5, 10, 20), CPU)
    xx, xy, xz, yy, yz, zz = precisions.detach().numpy().astype(np.float64).T
    three = 1 / np.sqrt(
        np.linalg.eigvalsh(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).transpose(2, 0, 1))
    )
    for deviations in (two, three):
        assert deviations.min() > 1 - 1e-4
        assert deviations.max() < 3 + 1e-4
        assert deviations.std() > 0.3


def test_the_phantom_holds_air_lung_water_vessel_and_bone() -> None:
    assert set(np.unique(phantom((12, 24, 24)))) == {-1000, -850, 40, 60, 700}


def test_the_command_prints_the_table_and_writes_both_files(smaller: None, tmp_path: Path) -> None:
    words = ["bench", "--size", "tiny", "--repeats", "1", "--only", "upsampling", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "| cubic upsampling along z " in done.output
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".md"]


@pytest.mark.parametrize("words", [("--only", "nothing"), ("--size", "huge"), ("--repeats", "0")])
def test_the_command_refuses_what_it_does_not_know(words: tuple[str, str]) -> None:
    assert CliRunner().invoke(app, ["bench", *words]).exit_code == 2

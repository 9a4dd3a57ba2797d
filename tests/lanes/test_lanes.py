"""Every test runs in exactly one lane, and what fails in a lane fails the whole, in full view."""

from pathlib import Path
from types import SimpleNamespace

import jaxtyping
import numpy as np
import pytest
from tests.conftest import WHERE_ARRAYS_ARE
from tests.lanes import __main__ as lanes
from tests.lanes import plugin, running
from tests.lanes.caches import kept_outside_the_clone
from tests.lanes.running import Order
from tests.lanes.table import LANES, PLAIN, STARTS_ORTHANC, TESTS, folders_of, lane_of

from nullsplat.core.suggestion import did_you_mean
from nullsplat.physics.fractional_shift import shifted


@pytest.mark.parametrize("markers", [(), (STARTS_ORTHANC,), ("slow",)])
def test_every_folder_is_collected_by_the_one_lane_of_its_tests(markers: tuple[str, ...]) -> None:
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")}
    assert len(folders) > 15
    assert [folder for folder in folders if folder not in folders_of(lane_of(folder, markers))] == []


def test_no_folder_is_named_by_two_lanes_or_gone() -> None:
    named = [folder for lane in LANES.values() for folder in lane.folders]
    assert sorted(named) == sorted(set(named))
    assert [folder for folder in named if not (TESTS / folder).is_dir()] == []


def test_a_new_folder_is_in_a_lane_without_being_named() -> None:
    assert lane_of("made-tomorrow", ()) == PLAIN


def test_a_test_that_the_lane_of_orthanc_would_not_look_into_is_an_error() -> None:
    marker, path = SimpleNamespace(name=STARTS_ORTHANC), TESTS / "plugin" / "test_rules.py"
    item = SimpleNamespace(
        nodeid="tests/plugin/test_rules.py::test_it", path=path, iter_markers=lambda: [marker]
    )
    config = SimpleNamespace(getoption=lambda name: PLAIN)
    with pytest.raises(pytest.UsageError, match=r"must say pytest\.mark\.orthanc in its own file: .*test_it"):
        plugin.pytest_collection_modifyitems(config, [item])  # type: ignore[arg-type, list-item]


def test_shapes_are_checked_where_arrays_are_and_nothing_is_elsewhere() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        shifted(np.zeros(3), (0.5, 0.5))
    assert len(WHERE_ARRAYS_ARE) > 50
    assert not hasattr(did_you_mean, "__wrapped__")


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str, *options: str) -> int:
    """All lanes well but one, which does what the script says."""
    monkeypatch.setattr(lanes, "FOLDER", folder)
    monkeypatch.setattr(lanes, "ROOT", folder.parent)

    def order(name: str, _folder: Path, _options: object) -> Order:
        return Order(name, ("sh", "-c", script if name == PLAIN else "echo 3 passed"))

    monkeypatch.setattr(lanes, "order_of_tests", order)
    return lanes.main(options)


def test_all_lanes_well_is_success(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path / "logs", "echo 'SKIPPED [1] because'; echo 5 passed") == 0
    said = capsys.readouterr().out
    assert "5 passed" in said
    assert "SKIPPED [1] because" in said
    assert "every lane passed" in said


FAILURE = "printf '%s\\n' quiet '==== FAILURES ====' 'assert 1 == 2' '= 1 failed ='; exit 1"


def test_a_failing_lane_fails_the_whole_and_its_failure_is_shown_in_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path / "logs", FAILURE) == 1
    said = capsys.readouterr().out
    assert "===== plain: exit code 1 =====\n==== FAILURES ====\nassert 1 == 2\n" in said
    assert said.endswith("failed: plain\n")
    assert "quiet" not in said


@pytest.mark.parametrize("script", ["kill -9 $$", "exit 5"])
def test_a_lane_that_was_killed_or_ran_nothing_fails_the_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str
) -> None:
    assert run(monkeypatch, tmp_path / "logs", script) == 1
    assert (run(monkeypatch, tmp_path / "logs", script, "-k", "x") == 0) is (script == "exit 5")


def test_a_lane_that_never_ends_is_ended_and_fails_the_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lanes, "LONGEST", 0.5)
    monkeypatch.setattr(running, "MERCY", 0.5)
    assert run(monkeypatch, tmp_path / "logs", "exec sleep 600") == 1


def test_a_lane_whose_turn_never_comes_fails_the_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lanes, "LONGEST", 0.0)
    assert run(monkeypatch, tmp_path / "logs", "echo 5 passed") == 1
    assert "its turn did not come" in capsys.readouterr().out


def test_what_compiles_keeps_its_results_outside_the_clone_unless_told_otherwise(tmp_path: Path) -> None:
    kept = kept_outside_the_clone({"XDG_CACHE_HOME": str(tmp_path), "TRITON_CACHE_DIR": "/elsewhere"})
    assert kept["PYTHONPYCACHEPREFIX"] == str(tmp_path / "nullsplat" / "bytecode")
    assert kept["NUMBA_CACHE_DIR"] == str(tmp_path / "nullsplat" / "numba")
    assert kept["TRITON_CACHE_DIR"] == "/elsewhere"

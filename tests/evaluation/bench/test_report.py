import dataclasses
import json
import subprocess
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nullsplat.core.errors import StorageError
from nullsplat.evaluation.bench.report import heading, markdown, table, write_result
from nullsplat.evaluation.bench.rows import Row
from nullsplat.evaluation.bench.suites import SUITES, Result
from nullsplat.evaluation.bench.timing import Timing
from nullsplat.evaluation.machine import Machine, checkout_commit, describe_machine, processor_model

MACHINE = Machine(
    processor="Xeon(R) 7",
    cores=2,
    memory="8 kB",
    threads={"numba": 2, "torch": 1},
    gpu="",
    load_average=1.5,
    nullsplat="0.1.0",
    commit="abc1234",
    packages={
        "torch": "2.6",
        "numba": "0.61",
        "numpy": "2",
        "scipy": "1",
        "gsplat": "1.5.3",
        "astra-toolbox": None,
    },
    python="3.11.7",
    system="Linux 6 x86_64",
)
ROWS = (
    Row(
        "projector", "projector forward", {"volume": (8, 48, 48), "views": 12}, Timing((0.004,)), "SciPy", 2.0
    ),
    Row(
        "projector",
        "projector adjoint",
        {"volume": (8, 48, 48)},
        Timing((0.25,)),
        "ASTRA",
        None,
        "not installed: pip",
    ),
    Row("stages", "stage1", {"to": (24, 40, 40)}, Timing((1.5,))),
)
RESULT = Result(MACHINE, "tiny", ("projector", "stages"), ROWS, datetime(2030, 2, 3, tzinfo=UTC))


def schema() -> dict[str, Any]:
    text = resources.files("nullsplat.evaluation.bench").joinpath("result.schema.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(loaded)
    return loaded


def cells(rows: tuple[Row, ...]) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table(rows).splitlines()]


def test_the_table_shows_medians_ratios_and_shapes() -> None:
    header, _, first, _, last = cells(ROWS)
    assert header[:5] == ["kernel", "ours, ms", "reference", "reference, ms", "reference / ours"]
    assert first[:6] == ["projector forward", "4", "SciPy", "2", "0.5", "volume 8x48x48, views 12"]
    assert last[:5] == ["stage1", "1500", "-", "-", "-"]


def test_a_missing_package_is_shown_as_not_installed() -> None:
    assert cells(ROWS)[3][2:5] == ["ASTRA", "not installed", "-"]
    assert "astra-toolbox not installed" in heading(RESULT)


def test_the_columns_are_straight() -> None:
    lines = table(ROWS).splitlines()
    bars = [[i for i, c in enumerate(line) if c == "|"][:-1] for line in lines]
    assert len(lines) == 5
    assert all(found == bars[0] for found in bars)


def test_the_page_says_what_the_figures_hold_for() -> None:
    page = markdown(RESULT)
    for needed in ("2030-02-03", "Xeon(R) 7, 2 cores", "load average 1.5", "abc1234", "2 of numba"):
        assert needed in page


@pytest.mark.parametrize(("load", "busy"), [(0.4, False), (1.5, True), (None, False)])
def test_the_heading_warns_of_a_busy_machine(load: float | None, busy: bool) -> None:
    machine = dataclasses.replace(MACHINE, load_average=load)
    assert ("the machine was busy" in heading(dataclasses.replace(RESULT, machine=machine))) == busy


def test_the_json_follows_its_schema() -> None:
    jsonschema.validate(RESULT.as_dict(), schema())


@pytest.mark.parametrize(
    "change",
    [{"shapes": {}}, {"median_ms": None}, {"commit": None}, {"ratio": 1.0}, {"note": ""}],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_refuses_a_row_that_leaves_something_out(change: dict[str, Any]) -> None:
    result = RESULT.as_dict()
    result["rows"][1] |= change  # the reference of this row is not there
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(result, schema())


def test_the_schema_knows_the_same_parts_as_the_program() -> None:
    assert schema()["$defs"]["part"]["enum"] == list(SUITES)


def test_files_name_size_machine_and_commit(tmp_path: Path) -> None:
    paths = write_result(RESULT, tmp_path / "new")
    assert [path.name for path in paths] == [
        f"tiny-projector+stages-xeon-r-7-2-cores-abc1234.{kind}" for kind in ("json", "md")
    ]
    assert json.loads(paths[0].read_text()) == RESULT.as_dict()
    assert paths[1].read_text() == markdown(RESULT)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="choose another folder"):
        write_result(RESULT, tmp_path / "file")


def test_an_evaluation_keeps_what_its_figures_depend_on() -> None:
    summary = {"processor": "Xeon(R) 7", "cores": 2, "memory": "8 kB", "threads": 1, "gpu": "none"}
    summary |= {"system": "Linux 6 x86_64", "python": "3.11.7", "torch": "2.6"}
    assert MACHINE.summary == summary
    assert dataclasses.replace(MACHINE, gpu="H").summary == summary | {"gpu": "H"}
    assert describe_machine().summary.keys() == summary.keys()


def test_results_from_before_memory_was_kept_are_valid() -> None:
    older = RESULT.as_dict()
    del older["machine"]["memory"]
    jsonschema.validate(older, schema())


def test_the_processor_is_the_systems_model(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert processor_model(tmp_path / "cpuinfo") == "Some CPU @ 2 GHz"
    assert processor_model(tmp_path / "nowhere")


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    command = ["git", *identity, *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_only_a_tracked_package_has_a_commit(tmp_path: Path) -> None:
    tracked, installed = tmp_path / "engine", tmp_path / ".venv"
    for folder in (tracked, installed):
        folder.mkdir()
        (folder / "__init__.py").touch()
    assert checkout_commit(tracked) == ""
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "engine")
    git(tmp_path, "commit", "--quiet", "--message", "m")
    assert checkout_commit(tracked) == git(tmp_path, "rev-parse", "--short", "HEAD")
    assert checkout_commit(installed) == ""
    (tracked / "__init__.py").write_text("changed")
    assert checkout_commit(tracked).endswith("+changes")

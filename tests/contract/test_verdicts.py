"""Plugin and engine judge alike: one table of edits of a good series, run against both sides.

A new row says what an edit is to lead to. Where the two sides differ, the row says why.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.contract.verdicts import frames, kinds, places, scans, stored
from tests.contract.verdicts.judges import engine_verdict, plugin_verdict, quick_orthanc, written
from tests.contract.verdicts.table import Row

from nullsplat.demo.installation import installed_orthanc
from nullsplat.demo.processes import free_port, start, wait_until_listening

ROWS: list[Row] = [*kinds.ROWS, *stored.ROWS, *places.ROWS, *scans.ROWS, *frames.ROWS]
LEAST_ROWS = 150
NOT_YET = json.loads((Path(__file__).parent / "verdicts" / "not_yet.json").read_text())
"""Rows of which the code does not yet do what they say: what engine and plugin do today."""
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder, port = tmp_path_factory.mktemp("orthanc"), free_port()
    command = [str(installed_orthanc()), str(quick_orthanc(folder, port))]
    child = start("Orthanc", command, {}, folder / "orthanc.log")
    wait_until_listening(child, port)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
        yield client
    child.process.kill()  # its regular end takes seconds
    child.process.wait()


@pytest.mark.orthanc
@pytest.mark.filterwarnings("ignore:Invalid value for VR", "ignore:.*value length.*", "ignore:The value")
@each_row
def test_plugin_and_engine_judge_as_the_row_says(row: Row, orthanc: httpx.Client, tmp_path: Path) -> None:
    folder = written(row.series(), tmp_path / "series")
    (engine, said), (plugin, told) = engine_verdict(folder), plugin_verdict(folder, orthanc)
    expected = tuple(NOT_YET.get(row.name, (row.engine, row.plugin)))
    assert (engine, plugin) == expected, f"engine: {said}\nplugin: {told}"


@each_row
def test_a_difference_is_explained_and_nothing_else_is(row: Row) -> None:
    assert bool(row.why) == (row.engine != row.plugin)


def test_the_table_is_long_and_no_row_comes_twice() -> None:
    names = Counter(row.name for row in ROWS)
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) >= LEAST_ROWS

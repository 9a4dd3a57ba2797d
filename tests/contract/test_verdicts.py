"""Plugin and engine judge alike: one table of edits of a good series, run against both sides.

A new row says what an edit is to lead to. Where the two sides differ, the row says why.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.contract.verdicts import frames, kinds, places, scans, stored
from tests.contract.verdicts.judges import engine_verdict, plugin_verdict, quick_orthanc, written
from tests.contract.verdicts.table import Row

from nullsplat.dicom.refusals import Refusal
from nullsplat.node.installation import installed_orthanc
from nullsplat.node.processes import free_port, start, wait_until_listening
from nullsplat_node.series.refusal import FORCIBLE, PASSING, TITLES

ROWS: list[Row] = [*kinds.ROWS, *stored.ROWS, *places.ROWS, *scans.ROWS, *frames.ROWS]
LEAST_ROWS = 150


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder, port = tmp_path_factory.mktemp("orthanc"), free_port()
    command = [str(installed_orthanc()), str(quick_orthanc(folder, port))]
    child = start("Orthanc", command, {}, folder / "orthanc.log")
    wait_until_listening(child, port)
    no_idling = httpx.Limits(
        max_keepalive_connections=0
    )  # Orthanc closes what is idle, and a new question may cross that
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20, limits=no_idling
    ) as client:
        yield client
    child.process.kill()  # its regular end takes seconds
    child.process.wait()


@pytest.mark.orthanc
@pytest.mark.filterwarnings("ignore:Invalid value for VR", "ignore:.*value length.*", "ignore:The value")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_plugin_and_engine_judge_as_the_row_says(row: Row, orthanc: httpx.Client, tmp_path: Path) -> None:
    folder = written(row.series(), tmp_path / "series")
    (engine, said), (plugin, told) = engine_verdict(folder), plugin_verdict(folder, orthanc)
    assert (engine, plugin) == (row.engine, row.plugin), f"engine: {said}\nplugin: {told}"


def test_a_difference_is_explained_and_nothing_else_is() -> None:
    assert [row.name for row in ROWS if bool(row.why) != (row.engine != row.plugin)] == []


def test_every_reason_has_a_row() -> None:
    shown = {code for row in ROWS for code in (row.engine, row.plugin)}
    assert {reason.value for reason in Refusal} <= shown
    # Of the plugin alone: what needs other orders than the default ones, or other series beside it.
    assert set(TITLES) - FORCIBLE - PASSING - {"non-square-pixels"} <= shown


def test_the_table_is_long_and_no_row_comes_twice() -> None:
    names = Counter(row.name for row in ROWS)
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) >= LEAST_ROWS

"""The plugin's audit lines: one for each change of state, with who asked for it, and nothing of a patient."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from tests.plugin.test_service import running, wait_until
from tests.support.plugin.fake_engine import FakeEngine
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import ct_series

from nullsplat_node.access.gate import user_of
from nullsplat_node.lifecycle.routing import DELIVERED, WAITING, Route
from nullsplat_node.lifecycle.state import (
    CANCELLED,
    DONE,
    FAILED,
    INELIGIBLE,
    PENDING,
    RESULT,
    ROUTING,
    RUNNING,
    SUCCEEDED,
    Result,
    SeriesState,
)
from nullsplat_node.web.rest import series_answer
from nullsplat_node.work.audit import FILE_VARIABLE, PREFIX, acting, entries, writer
from nullsplat_node.work.context import Log

SERIES, KEY = "0" * 44, "f" * 32
REQUEST = {"fingerprint": "a" * 64, "attempt": 2, "series_instance_uid": "2.25.4711"}
TAKEN = SeriesState(PENDING, 1.0, request=REQUEST, key=KEY)
FACTS = {"series": SERIES, "job": KEY, "attempt": 2, "input": "a" * 64}
REPORT = {"config_hash": "c" * 64, "model_hash": "d" * 64, "noise_hu": 12.0}


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (None, TAKEN, ["requested"]),
        (TAKEN, replace(TAKEN, phase=RUNNING), ["started"]),
        (replace(TAKEN, phase=RUNNING), replace(TAKEN, phase=SUCCEEDED), ["finished"]),
        (replace(TAKEN, phase=SUCCEEDED), replace(TAKEN, phase=DONE), ["stored"]),
        (replace(TAKEN, phase=SUCCEEDED), replace(TAKEN, phase=ROUTING), ["stored"]),
        (replace(TAKEN, phase=ROUTING), replace(TAKEN, phase=DONE), []),
        (TAKEN, replace(TAKEN, phase=CANCELLED), ["cancelled"]),
        (TAKEN, replace(TAKEN, history=((1.0, "x"),)), []),
        (TAKEN, replace(TAKEN, key="e" * 32), ["requested"]),
        (None, SeriesState(RESULT, 1.0), []),
    ],
)
def test_each_change_has_its_word(before: SeriesState | None, after: SeriesState, what: list[str]) -> None:
    found = entries(SERIES, before, after)
    assert [entry["what"] for entry in found] == what
    if after.key == KEY:
        assert all(FACTS.items() <= entry.items() for entry in found)


def test_a_refusal_is_told_once_and_again_when_its_reason_changes() -> None:
    refused = SeriesState(INELIGIBLE, 1.0, digest="a", code="gantry-tilt", message="DOE^JANE")
    assert entries(SERIES, None, refused) == [{"what": "refused", "series": SERIES, "code": "gantry-tilt"}]
    assert entries(SERIES, refused, replace(refused, digest="b")) == []
    assert entries(SERIES, refused, replace(refused, code="too-old"))[0]["code"] == "too-old"


def test_a_code_that_is_not_known_is_not_repeated() -> None:
    (entry,) = entries(SERIES, TAKEN, replace(TAKEN, phase=FAILED, code="DOE^JANE"))
    assert entry["code"] == "other"


def test_a_delivery_is_told_with_its_destination_and_what_the_result_was_made_by() -> None:
    result = Result("2.25.4712", "1" * 44, 3, REPORT)
    before = replace(
        TAKEN, phase=ROUTING, result=result, routes=(Route("PACS", WAITING), Route("X", DELIVERED))
    )
    after = replace(before, phase=DONE, routes=(Route("PACS", DELIVERED), Route("X", DELIVERED)))
    (entry,) = entries(SERIES, before, after)
    assert entry == {
        "what": "delivered",
        "destination": "PACS",
        **FACTS,
        "config": "c" * 64,
        "model": "d" * 64,
    }


def test_what_an_engine_calls_a_hash_is_repeated_only_if_it_is_one() -> None:
    state = replace(TAKEN, result=Result("2.25.1", report={"config_hash": "DOE^JANE", "model_hash": 3}))
    (entry,) = entries(SERIES, state, replace(state, phase=SUCCEEDED))
    assert {"config", "model"}.isdisjoint(entry)


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine("a-secret-of-the-tests", hold=True) as watched:
        yield watched


def wish(service: Any, series: str, action: str, user: str) -> None:
    headers = {"authorization": "Basic " + user} if user else {}
    body = json.dumps({"action": action}).encode()
    status, answer = series_answer(
        service, {"method": "POST", "groups": (series,), "headers": headers, "body": body}
    )
    assert status == 200, answer


def test_it_is_told_who_asked_and_what_the_node_did_by_itself(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def named(_: int, dataset: Dataset) -> None:
        dataset.PatientName, dataset.PatientID = "ZWIEBELBAUM^ROSALINDE", "PID-90210"

    path = tmp_path / "audit.jsonl"
    orthanc, images = FakeOrthanc(), ct_series(4, change=named)
    series = orthanc.add(images)
    write = writer(Log(print, print), {FILE_VARIABLE: str(path)})
    monkeypatch.setattr("nullsplat_node.work.service.writer", lambda *_: write)
    with running(orthanc, engine) as service:
        wait_until(lambda: service.series(series)["state"] == "running")
        wish(service, series, "cancel", "cmFkaW9sb2d5OnNlY3JldA==")  # radiology:secret
        wait_until(lambda: service.series(series)["state"] == "cancelled")
        wish(service, series, "again", "")
        wait_until(lambda: service.series(series)["state"] == "running")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["what"], line["who"]) for line in lines] == [
        ("requested", "node"),
        ("started", "node"),
        ("cancelled", "user radiology"),
        ("requested", "person"),
        ("started", "node"),
    ]
    assert len({line["input"] for line in lines}) == 1
    assert path.stat().st_mode & 0o077 == 0
    for private in ("ZWIEBELBAUM", "90210", "secret", str(images[0].SeriesInstanceUID)):
        assert private not in path.read_text()


def test_the_user_is_the_one_that_orthanc_let_in() -> None:
    assert user_of({"authorization": "Basic cmFkaW9sb2d5OnNlY3JldA=="}) == "radiology"


def test_the_name_of_a_user_ends_with_what_they_asked_for() -> None:
    written: list[dict[str, object]] = []
    with acting("a"):
        pass
    log = Log(lambda line: written.append(json.loads(line.removeprefix(PREFIX))), pytest.fail)
    writer(log, {})({"what": "x"})
    assert written == [{"what": "x"}]


def test_lines_without_a_file_go_into_orthancs_log_behind_a_prefix() -> None:
    lines: list[str] = []
    writer(Log(lines.append, pytest.fail), {})({"what": "requested"})
    assert lines == ['NullSplat audit: {"what": "requested"}']


def test_a_file_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        writer(Log(pytest.fail, pytest.fail), {FILE_VARIABLE: str(tmp_path / "nowhere" / "x")})


def test_a_file_that_others_may_read_is_closed_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch()
    path.chmod(0o644)
    environment = {FILE_VARIABLE: str(path)}
    writer(Log(pytest.fail, pytest.fail), environment)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    with pytest.raises(PermissionError, match=r"open to other users \(mode 0640\).*chmod it to 0600"):
        writer(Log(pytest.fail, pytest.fail), environment)


def test_a_line_that_the_disk_refuses_is_not_lost() -> None:
    warnings: list[str] = []
    errors: list[str] = []
    writer(Log(warnings.append, errors.append), {FILE_VARIABLE: "/dev/full"})({"what": "requested"})
    assert warnings == ['NullSplat audit: {"what": "requested"}']
    assert "No space left" in errors[0]


def test_several_processes_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    script = (
        "import sys; from nullsplat_node.work.audit import *; from nullsplat_node.work.context import Log\n"
        "write = writer(Log(print, print), {FILE_VARIABLE: sys.argv[1]})\n"
        "for number in range(60): write({'who': sys.argv[2], 'number': number, 'fill': 'f' * 3000})"
    )
    plugin = Path(__file__).resolve().parents[2] / "plugin"
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(path), str(who)], cwd=plugin) for who in range(3)
    ]
    assert [child.wait() for child in children] == [0, 0, 0]
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted((line["who"], line["number"]) for line in found) == [
        (str(who), number) for who in range(3) for number in range(60)
    ]

"""The observer against a scripted node, which answers each route with one message after the other."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from nullsplat.core.errors import ArchiveError, Cancelled
from nullsplat.node import observer as following
from nullsplat.node.observer import Node, Observer, SeriesRefusedError, follow, wait_for_decision

SERIES = "/nullsplat/series/abc"
JOB = "/v1/jobs/k1"


class ScriptedNode(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: dict[str, list[tuple[int, Any]]] = {}
        self.credentials: dict[str, str] = {}
        self.callers: list[tuple[str, int]] = []

    def says(self, path: str, *answers: Any, status: int = 200) -> None:
        self.script.setdefault(path, []).extend((status, answer) for answer in answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedNode
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.credentials[self.path] = self.headers["Authorization"]
        self.close_connection = False  # whatever was asked for: who may not use it again must end it
        self.server.callers.append(self.client_address)
        answers = self.server.script.get(self.path, [(404, {"error": "unknown"})])
        status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedNode]:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.01)
    with ScriptedNode() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def observer(node: ScriptedNode) -> Observer:
    return Observer(Node(node.url, "admin", "password", node.url, "the secret"))


def state(phase: str, **more: Any) -> dict[str, Any]:
    return {
        "state": phase,
        "title": phase,
        "message": "",
        "decision": "low dose",
        "job": {"key": "k1"},
        **more,
    }


def job(stage: str, progress: float, eta: float | None = None) -> dict[str, Any]:
    name = {
        "name": stage,
        "state": "done" if progress == 1 else "running",
        "progress": progress,
        "seconds": 2.0,
    }
    return {
        "stages": [{"name": "store", "state": "waiting", "progress": 0.0}, name],
        "progress": 0,
        "eta_seconds": eta,
    }


def nothing() -> None:
    pass


def test_the_decision_is_told_once_there_is_one(node: ScriptedNode, observer: Observer) -> None:
    node.says(SERIES, {"state": "new", "title": "not checked yet", "message": ""}, state("pending"))
    assert wait_for_decision(observer, "abc", nothing) == "low dose"


def test_a_refusal_is_told_with_its_reason(node: ScriptedNode, observer: Observer) -> None:
    node.says(
        SERIES, {"state": "ineligible", "title": "not taken: gantry tilt", "message": "tilt of 12 degrees"}
    )
    with pytest.raises(SeriesRefusedError, match=r"gantry tilt.*tilt of 12 degrees"):
        wait_for_decision(observer, "abc", nothing)


def test_progress_is_shown_until_the_result_is_delivered(node: ScriptedNode, observer: Observer) -> None:
    node.says(SERIES, state("pending"), state("running"), state("running"), state("routing"), state("done"))
    node.says(JOB, {"error": {}}, status=404)
    node.says(JOB, job("stage1", 0.5, eta=65.0), job("stage1", 1.0))
    shown: list[tuple[str, float, str]] = []
    final, last = follow(observer, "abc", lambda *line: shown.append(line), nothing)
    assert final["state"] == "done"
    assert last["stages"][1]["progress"] == 1
    assert shown[0] == ("stage1", 0.5, "about 1 min 05 s left in all")
    assert shown[-1] == ("stage1", 1.0, "2.0 s")
    assert node.credentials[JOB] == "Bearer the secret"
    assert node.credentials[SERIES].startswith("Basic ")
    assert len(set(node.callers)) == len(node.callers)  # Orthanc closes a used connection without saying so


@pytest.mark.parametrize(("phase", "error"), [("failed", SeriesRefusedError), ("cancelled", Cancelled)])
def test_a_job_that_does_not_succeed_ends_it(
    phase: str, error: type[Exception], node: ScriptedNode, observer: Observer
) -> None:
    node.says(SERIES, state(phase, message="the disk is full"))
    node.says(JOB, job("stage1", 0.5))
    with pytest.raises(error, match="disk is full" if phase == "failed" else "cancelled"):
        follow(observer, "abc", lambda *_: None, nothing)


def test_standstill_is_noticed(
    node: ScriptedNode, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "STALLED_SECONDS", 0.1)
    node.says(SERIES, state("pending"))
    with pytest.raises(ArchiveError, match="has been 'pending'"):
        follow(observer, "abc", lambda *_: None, nothing)


def test_a_dead_process_is_noticed_before_the_next_question(observer: Observer) -> None:
    def dead() -> None:
        raise ArchiveError("the worker has ended")

    with pytest.raises(ArchiveError, match="worker has ended"):
        follow(observer, "abc", lambda *_: None, dead)


def test_a_series_description_and_the_viewers_are_told(node: ScriptedNode, observer: Observer) -> None:
    node.says("/tools/lookup", [{"ID": "abc", "Type": "Series"}])
    node.says("/series/abc", {"MainDicomTags": {"SeriesDescription": "LUNG"}}, {"MainDicomTags": {}})
    assert [observer.description("1.2") for _ in range(2)] == ["LUNG", ""]
    node.says("/nullsplat/overview", {"viewers": {"ohif": True}})
    assert observer.viewers() == {"ohif": True}


def test_a_series_that_orthanc_does_not_have_is_named(node: ScriptedNode, observer: Observer) -> None:
    node.says("/tools/lookup", [{"Type": "Study", "ID": "s"}])
    with pytest.raises(ArchiveError, match=r"1\.2\.3 once, it has it 0 times"):
        observer.identifier("1.2.3")

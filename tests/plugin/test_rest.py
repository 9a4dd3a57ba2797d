import json
from typing import Any

import pytest

from nullsplat_node.archive.archive import NotInArchive
from nullsplat_node.web.rest import queue_answer, send, series_answer, status_answer
from nullsplat_node.work.action_handler import NotPossible

SERIES = "0" * 44


class FakeService:
    """Answers as told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.wishes: list[tuple[str, str]] = []

    def status(self) -> dict[str, Any]:
        return {"version": "1"}

    def series(self, series: str) -> dict[str, Any]:
        if self.error:
            raise self.error
        return {"series": series}

    def move(self, series: str, priority: str) -> dict[str, Any]:
        self.wishes.append((series, priority))
        return self.series(series)

    def switch(self, how: str) -> dict[str, Any]:
        if self.error:
            raise self.error
        return {"how": how}

    def act(self, series: str, action: str) -> dict[str, Any]:
        self.wishes.append((series, action))
        return self.series(series)


class FakeOutput:
    """Remembers what was answered, with the signatures of RestOutput in the Python plugin after 4.0."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 0, "", dict[str, str]()

    def AnswerBuffer(self, body: str, mime: str) -> None:  # noqa: N802 - Orthanc's names
        self.status, self.body, self.headers["Content-Type"] = 200, body, mime

    def SetHttpHeader(self, name: str, value: str) -> None:  # noqa: N802
        self.headers[name] = value

    def SendHttpStatus(self, status: int, body: str) -> None:  # noqa: N802
        self.status, self.body = status, body


class FakeOutputOf40(FakeOutput):
    """The same in 4.0, where the status comes with the length of the body."""

    def SendHttpStatus(self, status: int, body: str, size: int) -> None:  # type: ignore[override]  # noqa: N802
        assert size == len(body)
        super().SendHttpStatus(status, body)


def post(body: bytes, **headers: str) -> dict[str, Any]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"method": "POST", "groups": (SERIES,), "headers": {"host": "node:8042", **given}, "body": body}


def asked(request: dict[str, Any], error: Exception | None = None) -> tuple[int, dict[str, Any]]:
    return series_answer(FakeService(error), request)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"action": "run"}', 200, SERIES),
        (b"", 400, "must be JSON"),
        (b"\xff", 400, "must be JSON"),
        (b"[]", 400, "action must be one of run, again, cancel, release, deliver, priority, got 'None'"),
        (b'{"action": "delete"}', 400, "got 'delete'"),
        (b'{"action": ["run"]}', 400, "action must be one of"),
        (b'{"action": "release"}', 200, SERIES),
        (b'{"action": "priority", "priority": "stat"}', 200, SERIES),
        (
            b'{"action": "priority", "priority": "now"}',
            400,
            "priority must be one of stat, normal, night, got 'now'",
        ),
        (b'{"action": "priority"}', 400, "got 'None'"),
    ],
)
def test_a_wish_is_checked_before_it_is_passed_on(body: bytes, status: int, words: str) -> None:
    answered, message = asked(post(body))
    assert answered == status
    assert words in json.dumps(message)


def test_the_queue_is_paused_and_resumed_by_post_alone() -> None:
    def switched(request: dict[str, Any], error: Exception | None = None) -> tuple[int, dict[str, Any]]:
        return queue_answer(FakeService(error), request)  # type: ignore[arg-type]

    assert switched(post(b'{"action": "pause"}')) == (200, {"how": "pause"})
    assert switched(post(b'{"action": "run"}'))[0] == 400
    assert switched({"method": "GET"}) == (405, {"allow": "POST"})
    status, message = switched(post(b'{"action": "resume"}'), NotPossible("engine-away", "away"))
    assert (status, message["error"]["code"]) == (409, "engine-away")


def test_errors_have_their_http_status_and_a_code() -> None:
    read = {"method": "GET", "groups": (SERIES,)}
    assert asked(read, NotInArchive())[0] == 404
    assert asked({**read, "method": "DELETE"})[0] == 405
    status, message = asked(post(b'{"action": "run"}'), NotPossible("missing-slice", "a slice is missing"))
    assert (status, message["error"]) == (409, {"code": "missing-slice", "message": "a slice is missing"})
    assert status_answer(FakeService(), {"method": "POST"}) == (405, {"allow": "GET"})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [FakeOutput, FakeOutputOf40])
def test_every_answer_is_json(kind: type[FakeOutput]) -> None:
    for answer in ((200, {"ä": 1}), (409, {"error": {"code": "x", "message": "ä"}})):
        output = kind()
        send(output, answer)
        assert (output.status, json.loads(output.body)) == answer
        assert output.headers["Content-Type"] == "application/json"


def test_a_body_that_is_nested_too_deep_is_refused_and_does_not_end_the_process() -> None:
    status, answer = asked(post(b'{"action": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"))
    assert status == 400
    assert answer["error"]["code"] == "bad-request"

"""The client against servers that misbehave in the ways networks and servers do."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.plugin.fake_engine import FakeEngine

from nullsplat.node.processes import free_port
from nullsplat_node.engine.client import EngineClient, EngineRefused, EngineUnavailable, EngineUnreachable
from nullsplat_node.engine.link import EngineLink

SECRET = "a-secret-of-the-tests"
KEY = "0" * 32


@contextmanager
def raw_server(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says these bytes, one per connection, and closes; and what it was sent."""
    listening = socket.create_server(("127.0.0.1", 0))
    received: list[bytes] = []

    def serve() -> None:
        with contextlib.suppress(OSError):  # closed before the client came for all answers
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    received.append(connection.recv(65536))
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", received
    listening.close()


def http(status: str, body: bytes, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status.encode(), len(body), headers, body)


def client(url: str, timeout: float = 5.0) -> EngineClient:
    return EngineClient(url, SECRET, timeout)


def test_an_engine_that_is_down_is_away_and_the_message_says_where_it_was_sought() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(EngineUnreachable, match=f"cannot be reached at {url}: .*refused"):
        client(url).version()


def test_a_silent_engine_is_away_after_the_timeout() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(EngineUnreachable, match="timed out"),
    ):
        client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2).version()


def test_a_connection_that_breaks_is_tried_once_more() -> None:
    good = http("200 OK", b'{"contract": 1, "version": "7"}')
    with raw_server(b"", good) as (url, received):
        assert client(url).version() == "7"
        assert len(received) == 2
    with raw_server(b"", b"", good) as (url, received), pytest.raises(EngineUnreachable):
        client(url).version()


def test_the_secret_goes_along_but_never_to_where_a_redirect_points() -> None:
    with raw_server(http("200 OK", b"{}")) as (elsewhere, stolen):
        redirect = http("307 Temporary Redirect", b"", b"Location: %s/v1/engine\r\n" % elsewhere.encode())
        with raw_server(redirect) as (url, received), pytest.raises(EngineUnavailable, match="HTTP 307"):
            client(url).version()
        assert f"Authorization: Bearer {SECRET}".encode() in received[0]
        assert stolen == []


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(http("200 OK", b'{"contract": 1, "version": "7"}')) as (url, _):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert client(url).version() == "7"


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", b"<html>hello</html>"),
        http("200 OK", b"[]"),
        http("200 OK", b'{"key": "another"}'),
        http("200 OK", b'{"key": "%s", "state": "dreaming", "stages": [], "progress": 0}' % KEY.encode()),
        http("200 OK", b'{"key": "%s", "state": "running", "stages": [], "progress": 2}' % KEY.encode()),
        http("200 OK", b'{"key": "%s", "state": "succeeded", "stages": [], "progress": 1}' % KEY.encode()),
        http("500 Internal Server Error", b"oops"),
        http("404 Not Found", b"no such page"),
        http(
            "503 Service Unavailable", b'{"error": {"code": "storage", "message": "disk", "retryable": true}}'
        ),
        http(
            "429 Too Many Requests",
            b'{"error": {"code": "too-many-requests", "message": "wait 3 s", "retryable": true}}',
        ),
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_whatever_else_answers_is_no_engine_and_the_job_waits(answer: bytes) -> None:
    with raw_server(answer, answer) as (url, _), pytest.raises(EngineUnavailable):
        client(url).job(KEY)


def test_another_contract_version_is_not_spoken_to() -> None:
    later = http("200 OK", b'{"contract": 2, "version": "9"}')
    with raw_server(later) as (url, _), pytest.raises(EngineUnavailable, match="version 1, it speaks '2'"):
        client(url).version()


def test_a_wrong_secret_is_said_plainly_and_the_job_waits_for_it_to_be_set_right() -> None:
    with (
        FakeEngine("another-secret-entirely") as engine,
        pytest.raises(
            EngineUnavailable,
            match=r"HTTP 401: the Authorization header must carry the engine's shared secret",
        ),
    ):
        client(engine.url).job(KEY)


def test_a_job_that_the_engine_does_not_know_is_none() -> None:
    with FakeEngine(SECRET) as engine:
        assert client(engine.url).job(KEY) is None
        assert client(engine.url).cancel(KEY) is None


def test_a_refusal_carries_the_engines_own_words() -> None:
    body = b'{"error": {"code": "key-taken", "message": "another request has this key", "retryable": false}}'
    with raw_server(http("409 Conflict", body)) as (url, _), pytest.raises(EngineRefused) as refusal:
        client(url).submit(KEY, {})
    assert refusal.value.status == 409
    assert refusal.value.failure.code == "key-taken"


def test_after_the_engine_could_not_be_reached_nobody_waits_for_it_until_the_pause_is_over() -> None:
    now = [1000.0]
    asked = []

    def away(_: EngineClient) -> None:
        asked.append(now[0])
        raise EngineUnreachable("it is away")

    link = EngineLink(client("http://127.0.0.1:1"), 5.0, lambda: now[0])
    for now[0] in (1000.0, 1001.0, 1004.9, 1005.0):
        with pytest.raises(EngineUnreachable, match="it is away"):
            link.ask(away)
    assert asked == [1000.0, 1005.0]
    now[0] = 1010.0
    assert link.ask(lambda _: "hello") == "hello"
    assert link.error == ""


def test_the_link_remembers_since_when_the_engine_is_away_and_when_it_last_answered() -> None:
    now = [1000.0]
    with FakeEngine(SECRET) as engine:
        link = EngineLink(client(engine.url), 0.0, lambda: now[0])
        link.ping()
        assert (link.answered_at, link.unreachable_since, link.info["contract"]) == (1000.0, None, 1)
        engine.stop()
        for now[0] in (1010.0, 1020.0):
            with pytest.raises(EngineUnreachable):
                link.ping()
        assert (link.answered_at, link.unreachable_since) == (1000.0, 1010.0)
        engine.start()
        now[0] = 1030.0
        link.ping()
        assert (link.answered_at, link.unreachable_since) == (1030.0, None)


def test_a_pause_is_not_forgotten_by_an_answer_from_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeEngine(SECRET) as engine:
        link, info = EngineLink(client(engine.url), 0.0, lambda: 0.0), EngineClient.info

        def overtaken(asked: EngineClient) -> dict[str, object]:
            told = info(asked)
            link.switch("pause")
            return told

        monkeypatch.setattr(EngineClient, "info", overtaken)
        link.ping()
    assert link.info["paused_since"]


def test_checks_are_read_from_an_engine_that_is_not_ready() -> None:
    with FakeEngine(SECRET) as engine:
        engine.checks["worker"] = "no worker is alive"
        assert client(engine.url).checks() == {
            "weights": "ok",
            "archive": "ok",
            "worker": "no worker is alive",
        }


def test_an_engine_that_tells_no_checks_is_still_met() -> None:
    with (
        raw_server(http("404 Not Found", b"{}")) as (url, _),
        pytest.raises(EngineUnavailable, match="HTTP 404 without them"),
    ):
        client(url).checks()
    answers = http("200 OK", b'{"contract": 1, "version": "9"}'), http("200 OK", b"[]")
    with raw_server(*answers) as (url, _):
        link = EngineLink(client(url), 0.0, lambda: 0.0)
        link.ping()
    assert link.version == "9"
    assert "without them" in link.checks["readiness"]
    assert link.error == ""

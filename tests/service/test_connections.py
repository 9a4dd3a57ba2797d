"""Clients that begin and do not go on take nothing away from the others: real sockets, a real server."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import uvicorn
from tests.support.service.fast_processing import FastProcessing

from nullsplat.service.api import connections
from nullsplat.service.api.server import application, listening_socket, server_configuration
from nullsplat.service.settings import Settings

HALF = b"PUT /v1/jobs/x HTTP/1.1\r\nHost: x\r\nX-A: "
HALF_BODY = b"PUT /v1/jobs/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-secret-for-tests-only\r\nContent-Length: 10\r\n\r\n{"
UPGRADE = (
    b"GET /subscribers/WATCHER HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-secret-for-tests-only\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ENOUGH = 20
"""Seconds that a busy machine may take over a deadline of half a second; nothing else ends a connection that early."""
PATIENT, IMPATIENT = {"request_seconds": 60.0, "connections": 16}, {"request_seconds": 0.5}
Open = Callable[[bytes], socket.socket]


@contextmanager
def serving(settings: Settings, control: Path) -> Iterator[int]:
    with application(settings, FastProcessing(control)) as app:
        configuration = server_configuration(app, settings)
        configuration.timeout_keep_alive = 2 * ENOUGH
        server = uvicorn.Server(configuration)
        with listening_socket("127.0.0.1", 0) as listener:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            while not server.started:
                time.sleep(0.01)
            yield listener.getsockname()[1]
            server.should_exit = True
            thread.join(10)


@pytest.fixture
def port(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    changed: Any = settings.model_copy(update=request.param)
    with serving(changed, tmp_path / "control") as port:
        yield port


@pytest.fixture
def open_with(port: int) -> Iterator[Open]:
    """Opens a connection and sends something on it."""
    with ExitStack() as stack:

        def connect(text: bytes) -> socket.socket:
            made = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=2 * ENOUGH))
            made.sendall(text)
            return made

        yield connect


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side ended it while there was patience with it."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def answers(port: int) -> bool:
    with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=ENOUGH) as answer:
        return bool(answer.status == 200)


@pytest.mark.parametrize("port", [IMPATIENT], indirect=True)
@pytest.mark.parametrize("begun", [b"", b"G", HALF, HALF_BODY])
def test_who_does_not_finish_a_request_is_cut_off(
    port: int, open_with: Open, begun: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    connection = open_with(begun)
    assert is_closed(connection)
    assert time.monotonic() - started < ENOUGH
    assert answers(port)
    assert not [one for one in caplog.records if one.levelname in ("WARNING", "ERROR")]


@pytest.mark.parametrize("port", [IMPATIENT], indirect=True)
def test_a_trickle_of_bytes_gives_no_more_time(port: int, open_with: Open) -> None:
    connection = open_with(HALF)
    started = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - started < 2 * ENOUGH:
            connection.sendall(b"a")
            time.sleep(0.05)
    assert time.monotonic() - started < ENOUGH


@pytest.mark.parametrize("port", [IMPATIENT], indirect=True)
def test_a_second_request_on_a_connection_has_a_deadline_too(port: int, open_with: Open) -> None:
    connection = open_with(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    said = b""
    while b'{"ok":true}' not in said:
        said += connection.recv(4096)
    connection.sendall(HALF)
    started = time.monotonic()
    assert is_closed(connection)
    assert time.monotonic() - started < ENOUGH


@pytest.mark.parametrize("port", [IMPATIENT], indirect=True)
def test_requests_that_come_together_are_answered_and_the_half_one_behind_them_has_a_deadline(
    port: int, open_with: Open
) -> None:
    whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    connection = open_with(whole + whole + HALF_BODY)
    said = b""
    started = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(4096):
            said += piece
    assert said.count(b'{"ok":true}') == 2
    assert time.monotonic() - started < ENOUGH


@pytest.mark.parametrize("port", [PATIENT], indirect=True)
def test_however_many_connections_wait_a_client_that_asks_is_answered(
    port: int, open_with: Open, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = [open_with(HALF) for _ in range(100)]
    assert answers(port)
    assert all(is_closed(one) for one in waiting[:80])  # the longest-waiting make room
    waiting[-1].settimeout(0.2)
    assert not is_closed(waiting[-1])
    assert [one for one in caplog.messages if "more than 16 connections" in one] == [caplog.messages[-1]]


@pytest.mark.parametrize("port", [{"request_bytes": 2**23}], indirect=True)
def test_who_sends_too_much_reads_why_it_was_refused(port: int, open_with: Open) -> None:
    """More than the sockets' buffers hold, so that the client still sends when the server knows."""
    head = b"PUT /v1/jobs/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % 2**24
    connection = open_with(head + bytes(2**24))
    assert connection.recv(4096).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("port", [{}], indirect=True)
def test_a_request_in_time_is_answered_however_slowly_it_came(port: int, open_with: Open) -> None:
    connection = open_with(b"GET /healthz HTTP/1.1\r\n")
    time.sleep(1)
    connection.sendall(b"Host: x\r\n\r\n")
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("port", [IMPATIENT | {"connections": 16}], indirect=True)
def test_a_channel_stays_open_however_long_it_is_silent(
    port: int, open_with: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.3)
    channel = open_with(UPGRADE)
    assert channel.recv(4096).startswith(b"HTTP/1.1 101")
    waiting = [open_with(HALF) for _ in range(30)]
    assert answers(port)
    channel.settimeout(2)
    with pytest.raises(TimeoutError):  # past every deadline for requests, it neither ends nor says anything
        channel.recv(1)
    assert is_closed(waiting[0])
    channel.sendall(masked_ping())
    assert channel.recv(4096) == b"\x8a\x00"


def masked_ping() -> bytes:
    """An empty ping as a client sends it (RFC 6455, 5.2)."""
    return b"\x89\x80" + bytes(4)

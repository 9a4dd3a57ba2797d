"""A subscriber to event reports, written from PS3.18 and PS3.4 alone, on websocket-client: it shares no code with the engine's server."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import websocket
from tests.support.service.ups_client import STATE, Answer, UpsClient, value

ALL, SOME = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"
PUSH = "1.2.840.10008.5.1.4.34.6.1"
CLASS, COMMAND, MESSAGE, INSTANCE, EVENT = "00000002", "00000100", "00000110", "00001000", "00001002"
STATE_REPORT, CANCEL_REQUESTED, PROGRESS_REPORT, STATUS_CHANGE = 1, 2, 3, 4

Report = dict[str, Any]


class Watcher:
    """One open channel of an AE."""

    def __init__(self, client: UpsClient, title: str, timeout: float = 10.0, **options: Any) -> None:
        url = f"{client.url.replace('http', 'ws', 1)}/subscribers/{quote(title)}"
        header = {"Authorization": f"Bearer {client.secret}"}
        self._socket = websocket.create_connection(
            url, timeout=timeout, header=header, http_no_proxy=["*"], **options
        )

    def close(self) -> None:
        self._socket.close()
        self._socket.shutdown()  # which close() leaves out when the server was first

    def next(self) -> Report:
        """The next report; TimeoutError where none comes."""
        try:
            text = self._socket.recv()
        except websocket.WebSocketTimeoutException:
            raise TimeoutError from None
        report: Report = json.loads(text)
        assert value(report, CLASS) == PUSH
        assert value(report, COMMAND) == 0x0100
        return report

    def until(self, wanted: Callable[[Report], bool], seconds: float = 60.0) -> list[Report]:
        """All reports up to the first that is wanted."""
        found, deadline = [self.next()], time.monotonic() + seconds
        while not wanted(found[-1]):
            assert time.monotonic() < deadline, found
            found.append(self.next())
        return found

    def quiet(self, seconds: float = 0.6) -> bool:
        """Whether nothing comes for some time, in which the server looks into its database several times."""
        before = self._socket.gettimeout()
        self._socket.settimeout(seconds)
        try:
            self.next()
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(before)
        return False

    def end(self) -> int:
        """Wait for the server to close the channel: why, by its code."""
        while True:
            code, data = self._socket.recv_data()
            if code == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big")


@contextlib.contextmanager
def watching(client: UpsClient, title: str, **options: Any) -> Iterator[Watcher]:
    watcher = Watcher(client, title, **options)
    try:
        yield watcher
    finally:
        watcher.close()


def subscribe(client: UpsClient, uid: str, title: str, query: str = "") -> Answer:
    return client.send("POST", f"/workitems/{uid}/subscribers/{quote(title)}{query}")


def unsubscribe(client: UpsClient, uid: str, title: str) -> Answer:
    return client.send("DELETE", f"/workitems/{uid}/subscribers/{quote(title)}")


def suspend(client: UpsClient, uid: str, title: str) -> Answer:
    return client.send("POST", f"/workitems/{uid}/subscribers/{quote(title)}/suspend")


def is_state(uid: str, state: str) -> Callable[[Report], bool]:
    """Whether a report says that a workitem is in a state."""
    return lambda report: (
        value(report, EVENT) == STATE_REPORT
        and (value(report, INSTANCE), value(report, STATE)) == (uid, state)
    )


def said(reports: list[Report], uid: str) -> list[str]:
    """The states that reports tell of a workitem, in their order."""
    mine = [one for one in reports if value(one, INSTANCE) == uid and value(one, EVENT) == STATE_REPORT]
    return [value(one, STATE) for one in mine]

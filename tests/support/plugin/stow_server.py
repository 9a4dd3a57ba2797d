"""A DICOMweb server that takes instances by STOW-RS, and answers as a test wants."""

import json
import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pydicom

PATIENCE = 120.0
Answering = Callable[[list[str]], tuple[int, Any]]
"""From the SOP Instance UIDs of a request to HTTP status and JSON."""


def all_stored(uids: list[str]) -> tuple[int, Any]:
    return 200, response(stored=uids)


def response(stored: list[str] | None = None, failed: dict[str, int] | None = None) -> dict[str, Any]:
    """A store instances response in DICOM JSON."""
    items = {
        "00081199": [_reference(uid) for uid in stored or []],
        "00081198": [
            _reference(uid) | {"00081197": {"vr": "US", "Value": [why]}}
            for uid, why in (failed or {}).items()
        ],
    }
    return {tag: {"vr": "SQ", "Value": value} for tag, value in items.items() if value}


def _reference(uid: str) -> dict[str, Any]:
    return {"00081155": {"vr": "UI", "Value": [uid]}}


@dataclass
class StowServer:
    """On loopback, until it is left.

    Attributes:
        answering: what it says to a request.
        may_answer: set, unless a test has it keep its clients waiting.
        hangs_up_with: status with which it answers before it has read anything, 0 for never.
        redirects_to: where it sends clients, empty for nowhere.
        tls: what it speaks TLS by, if it does.
        requests: SOP Instance UIDs of each request.
        headers: of each request, also of those that were not read.
    """

    answering: Answering = all_stored
    may_answer: threading.Event = field(default_factory=threading.Event)
    hangs_up_with: int = 0
    redirects_to: str = ""
    tls: ssl.SSLContext | None = None
    requests: list[list[str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> "StowServer":
        self.may_answer.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/dicom-web"

    @property
    def received(self) -> set[str]:
        return {uid for uids in self.requests for uid in uids}


def uids_of(kind: str, body: bytes) -> list[str]:
    """SOP Instance UIDs of a multipart body, read by Python's parser of MIME."""
    message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    assert all(isinstance(part, bytes) for part in parts)
    return [str(pydicom.dcmread(BytesIO(part)).SOPInstanceUID) for part in parts if isinstance(part, bytes)]


def _handler(server: StowServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.headers.append({"path": self.path, **dict(self.headers.items())})
            if server.hangs_up_with:
                self._answer(server.hangs_up_with, {})
                self.connection.close()
                return
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if len(body) < int(self.headers["Content-Length"]):
                return  # the client gave up
            if server.redirects_to:
                self.send_response(307)
                self.send_header("Location", server.redirects_to)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            assert re.match(
                r'multipart/related; type="application/dicom"; boundary=', self.headers["Content-Type"]
            )
            uids = uids_of(self.headers["Content-Type"], body)
            server.requests.append(uids)
            server.may_answer.wait(PATIENCE)
            self._answer(*server.answering(uids))

        def _answer(self, status: int, answer: Any) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    return Handler

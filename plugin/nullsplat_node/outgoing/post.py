# SPDX-License-Identifier: AGPL-3.0-or-later
"""One POST, with the standard library alone: no redirects, no proxy, and a bounded duration.

Not `orthanc.HttpPost`: with plugin 4.0 that stops all Python in Orthanc for as long as the other side takes.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from nullsplat_node.outgoing.partners import Partner

LARGEST_ANSWER = 4 * 2**20
LONGEST_REQUEST = 1800.0
"""Seconds for a request with its answer in all: a byte now and then would otherwise keep it open for ever."""


class Unreachable(Exception):
    """The request could not be sent, or no answer came; says why."""


@dataclass(frozen=True)
class Answer:
    """The response."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Body:
    """The request body: its length in bytes, and its parts, made one at a time while it is sent."""

    length: int
    parts: Iterable[bytes]


def post(partner: Partner, path: str, headers: Mapping[str, str], body: Body) -> Answer:
    """Send a request to a partner's address and return its answer, whatever its status.

    Raises:
        Unreachable: there is no answer.
    """
    connection = _connection(partner)
    whole = {**headers, "Content-Length": str(body.length), "Connection": "close"}
    try:
        with _ended_after(connection, LONGEST_REQUEST):
            _send(connection, urlsplit(partner.url).path + path, whole, body.parts)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(LARGEST_ANSWER))
    except (
        OSError,
        http.client.HTTPException,
        ValueError,
    ) as error:  # ValueError: TLS that was ended for taking too long
        raise Unreachable(_reason(error)) from error
    finally:
        connection.close()


def _connection(partner: Partner) -> http.client.HTTPConnection:
    parts = urlsplit(partner.url)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=partner.timeout)
    try:
        context = ssl.create_default_context(cafile=partner.ca_file or None)
    except OSError as error:  # also what ssl raises; it was fine at start
        reason = error.strerror or error
        raise Unreachable(
            f"CaFile must name a readable file of PEM certificates, it no longer does: {reason}"
        ) from error
    return http.client.HTTPSConnection(host, parts.port, timeout=partner.timeout, context=context)


def _send(
    connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str], parts: Iterable[bytes]
) -> None:
    """Send the whole body; an early answer (a wrong password, too large) is read nevertheless."""
    connection.connect()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        connection.request("POST", path, parts, dict(headers))


@contextlib.contextmanager
def _ended_after(connection: http.client.HTTPConnection, seconds: float) -> Iterator[None]:
    def end() -> None:
        with contextlib.suppress(OSError):
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); let CaFile name its issuer's"
    if isinstance(error, ssl.SSLError):
        return f"no TLS version in common ({error.reason or 'no reason given'})"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"its answer is truncated or not HTTP ({type(error).__name__})"

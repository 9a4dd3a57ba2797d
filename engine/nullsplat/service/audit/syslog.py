"""Messages to an audit repository by syslog over TLS (RFC 5424, RFC 5425; DICOM PS3.15 A.6), without keeping anybody waiting."""

import logging
import os
import select
import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, Full, Queue

KEPT = 1000
"""Messages that wait while the repository is away; further ones are in the log on this machine alone."""
TIMEOUT = 10.0
"""Seconds that the repository may take over connecting and taking one message."""
RETRY_FIRST, RETRY_LONGEST = 1.0, 60.0
"""Seconds until the next try, doubled after each."""
SECURITY, NOTICE, WARNING = 10, 5, 4
MESSAGE_ID = "DICOM+RFC3881"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Repository:
    """Where messages go.

    Attributes:
        host, port: its address.
        context: whom to trust, and the own certificate where the repository wants to see one.
    """

    host: str
    port: int
    context: ssl.SSLContext

    def __str__(self) -> str:
        """The address."""
        return f"{self.host}:{self.port}"


def syslog_frame(message: str, when: datetime, host: str, *, failure: bool = False) -> bytes:
    """One message as it stands on the wire: its length in bytes, a space, the header of RFC 5424, the text in UTF-8.

    Args:
        failure: whether it is about something that failed, which makes it a warning instead of a notice.
    """
    priority = 8 * SECURITY + (WARNING if failure else NOTICE)
    stamp = when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    header = f"<{priority}>1 {stamp} {host} nullsplat {os.getpid()} {MESSAGE_ID} - "
    content = header.encode("ascii", "replace") + b"\xef\xbb\xbf" + message.encode()
    return b"%d %s" % (len(content), content)


class SyslogSender:
    """Sends from a thread of its own, in order, and tries again for as long as it takes."""

    def __init__(self, repository: Repository, kept: int = KEPT) -> None:
        """Begin to send; at most `kept` messages wait."""
        self._repository = repository
        self._waiting: Queue[bytes] = Queue(kept)
        self._lost = 0
        self._closing = threading.Event()
        self._connection: ssl.SSLSocket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="nullsplat-audit")
        self._thread.start()

    def send(self, frame: bytes) -> None:
        """Send soon; returns at once. Where too many wait already, this one is counted and not sent."""
        try:
            self._waiting.put_nowait(frame)
        except Full:
            self._lost += 1
            if self._lost == 1:
                logger.error(
                    "the audit repository %s has been unreachable for too long: further messages are in the audit log alone",
                    self._repository,
                )

    def close(self, patience: float = 5.0) -> None:
        """Send what waits for so many seconds, and end."""
        self._closing.set()
        self._thread.join(patience)
        if left := self._waiting.qsize() + self._lost:
            logger.error("%d audit messages were not sent to %s", left, self._repository)

    def _run(self) -> None:
        while True:
            try:
                frame = self._waiting.get(timeout=0.2)
            except Empty:
                if self._closing.is_set():
                    self._disconnect()
                    return
                continue
            self._deliver(frame)
            self._tell_of_losses()

    def _deliver(self, frame: bytes) -> None:
        wait = RETRY_FIRST
        while not self._sent(frame, first_try=wait == RETRY_FIRST):
            if self._closing.wait(wait):
                self._lost += 1
                return
            wait = min(2 * wait, RETRY_LONGEST)
        if wait > RETRY_FIRST:
            logger.info("the audit repository %s can be reached again", self._repository)

    def _sent(self, frame: bytes, *, first_try: bool) -> bool:
        try:
            self._connected().sendall(frame)
        except OSError as error:  # also what ssl raises
            self._disconnect()
            if first_try:
                logger.warning(
                    "the audit repository %s cannot be reached, trying again: %s", self._repository, error
                )
            return False
        return True

    def _tell_of_losses(self) -> None:
        if self._lost and self._waiting.empty():
            logger.error("%d audit messages were not sent to %s", self._lost, self._repository)
            self._lost = 0

    def _connected(self) -> ssl.SSLSocket:
        if self._connection is not None and _is_closed(self._connection):
            self._disconnect()
        if self._connection is None:
            address = (self._repository.host, self._repository.port)
            plain = socket.create_connection(address, TIMEOUT)
            try:
                self._connection = self._repository.context.wrap_socket(
                    plain, server_hostname=self._repository.host
                )
            except OSError:
                plain.close()
                raise
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_closed(connection: ssl.SSLSocket) -> bool:
    """Whether the other side has closed it, which sending alone would notice one message too late."""
    if not select.select([connection], [], [], 0)[0]:
        return False
    connection.settimeout(0)
    try:
        return not connection.recv(1)
    except ssl.SSLWantReadError:  # something of TLS itself
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(TIMEOUT)

"""Connections to the API: how many there may be, and how long a request and its answer may take.

uvicorn waits for a request without limit, so a few hundred connections with half a request each would use up
all file descriptors.
"""

import asyncio
import logging
import math
import resource
from dataclasses import dataclass
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

ANSWER_SECONDS = 60.0
"""For computing an answer and for the client to take it."""
HANDSHAKE_SECONDS = 10.0
QUIET_SECONDS = 60.0
DESCRIPTORS = 65536
"""Upper bound of open files: TLS handshakes in progress are not counted as connections yet."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits for all clients together.

    Attributes:
        connections: concurrent ones.
        request_seconds: from the first byte of a request to its last.
    """

    connections: int
    request_seconds: float


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol for one connection, with a deadline for whatever the client has to do."""

    limits: ClassVar[ConnectionLimits]
    reported_at: ClassVar[float] = -math.inf
    """When the log last reported too many connections."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Accept the connection; beyond the limit, the one idle for longest is closed."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self.waiting_since: float | None = self.loop.time()
        self._expect(self.limits.request_seconds)
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Receive part of a request."""
        begins = self.conn.their_state is h11.IDLE and self._deadline is None
        super().data_received(data)
        if self.transport.get_protocol() is self:  # not upgraded
            self._judge(begins)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Leave the connection to the protocol of WebSockets, which looks by itself whether the client lives."""
        super().handle_websocket_upgrade(event)
        self._forget()

    def on_response_complete(self) -> None:
        """Wait for the next request; uvicorn itself closes idle connections."""
        self._forget()
        self.waiting_since = self.loop.time()
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE and not self.transport.is_closing():
            self._judge(begins=True)  # the next request was pipelined

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget()
        super().connection_lost(exc)

    def _judge(self, begins: bool) -> None:
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self.waiting_since = None
            self._expect(ANSWER_SECONDS)
        elif begins:
            self._expect(self.limits.request_seconds)

    def _expect(self, seconds: float) -> None:
        self._forget()
        self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        logger.info("a client took too long over a request or its answer and was disconnected")
        self.transport.abort()

    def _make_room(self) -> None:
        waiting = {
            one.waiting_since: one
            for one in self.connections
            if isinstance(one, LimitedProtocol) and one.waiting_since is not None
        }
        longest = waiting[min(waiting)]  # at least the new connection is there
        self._tell_too_many()
        self.connections.discard(longest)  # now, since the loss is reported later
        longest.transport.abort()

    def _tell_too_many(self) -> None:
        """At most once a minute, so that opening connections cannot fill the disk."""
        if self.loop.time() - self.reported_at > QUIET_SECONDS:
            type(self).reported_at = self.loop.time()
            logger.warning(
                "more than %d connections (NULLSPLAT_CONNECTIONS); those idle for longest are closed",
                self.limits.connections,
            )


def limited(limits: ConnectionLimits) -> type[LimitedProtocol]:
    """The protocol with these limits."""
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits})


class EventLoop(asyncio.SelectorEventLoop):
    """asyncio's, with a shorter timeout for TLS handshakes; uvicorn has no setting for that."""

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Listen."""
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", HANDSHAKE_SECONDS)
        return await super().create_server(*args, **options)


def raise_descriptor_limit() -> None:
    """Let this process open as many files and connections as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))

"""Connections to the API: how many there may be, and how long a request and its answer may take on one.

uvicorn waits for a request as long as the client likes, so some hundred connections with half a request each would
take all file descriptors away from those that have something to ask.
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
"""As many as the system allows up to this: TLS handshakes under way are no connections of ours yet."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConnectionLimits:
    """What all clients together get.

    Attributes:
        connections: at one time.
        request_seconds: from the first byte of a request to its last.
    """

    connections: int
    request_seconds: float


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol for one connection, with a deadline for whatever the client has to do."""

    limits: ClassVar[ConnectionLimits]
    told: ClassVar[float] = -math.inf
    """When the log last said that there are too many."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take the connection; one too many costs the place of the one that has kept us waiting for longest."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self.waiting_since: float | None = self.loop.time()
        self._expect(self.limits.request_seconds)
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        begins = self.conn.their_state is h11.IDLE and self._deadline is None
        super().data_received(data)
        self._judge(begins)

    def on_response_complete(self) -> None:
        """Wait for the next request; uvicorn ends a connection by itself on which none begins."""
        self._forget()
        self.waiting_since = self.loop.time()
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE and not self.transport.is_closing():
            self._judge(begins=True)  # the next one had come along with this one

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
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
        logger.info("a client took too long over a request or its answer, and was cut off")
        self.transport.abort()

    def _make_room(self) -> None:
        waiting = {
            one.waiting_since: one
            for one in self.connections
            if isinstance(one, LimitedProtocol) and one.waiting_since is not None
        }
        longest = waiting[min(waiting)]  # there is one: we have just come
        self._tell_too_many()
        self.connections.discard(longest)  # at once, as the loss is told later
        longest.transport.abort()

    def _tell_too_many(self) -> None:
        """Once a minute: whoever opens connections must not fill the disk by it."""
        if self.loop.time() - self.told > QUIET_SECONDS:
            type(self).told = self.loop.time()
            logger.warning(
                "more than %d connections (NULLSPLAT_CONNECTIONS); those that ask nothing for longest are cut off",
                self.limits.connections,
            )


def limited(limits: ConnectionLimits) -> type[LimitedProtocol]:
    """The protocol with these limits."""
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits})


class EventLoop(asyncio.SelectorEventLoop):
    """asyncio's, but impatient with clients that begin TLS and do not go on; uvicorn has no setting for that."""

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

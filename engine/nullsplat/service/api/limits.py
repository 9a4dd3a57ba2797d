"""Limits for each client: the size of a request, and the rate of requests."""

import contextlib
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect, HTTPConnection

from nullsplat.service.api.errors import Refusal, refusal_response

WORKITEMS_PATH = "/workitems"
SUBSCRIBERS_PATH = "/subscribers"
WORKITEM_BYTES = 1024 * 1024
"""A new workitem names every instance of a series, at 150 to 200 bytes each."""
LINGERING = 4
"""Times the limit that is read of a request that is too large: a client that still sends when the connection is closed never sees why."""
ADDRESSES = 4096
"""Addresses that are remembered; the one silent for longest is dropped first."""


@dataclass(frozen=True)
class Limits:
    """Limits for one client, unless it says otherwise.

    Attributes:
        request_bytes: size of a request's body.
        requests_per_second: sustained; 0 for no limit.
        burst: size of a burst.
        channels: for event reports, of all clients together.
    """

    request_bytes: int = 64 * 1024
    requests_per_second: float = 200.0
    burst: int = 1000
    channels: int = 64

    def bytes_at(self, path: str) -> int:
        """Size of a request's body at a path."""
        return max(self.request_bytes, WORKITEM_BYTES) if path == WORKITEMS_PATH else self.request_bytes


class TokenBuckets:
    """A token bucket for each address."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Refill `rate` tokens a second, up to `burst`."""
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> float:
        """Take a token; 0 when there was one, else the seconds until there is."""
        if not self._rate:
            return 0.0
        now = self._clock()
        tokens, since = self._buckets.pop(address, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - since) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[address] = (tokens - allowed, now)
        if len(self._buckets) > ADDRESSES:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1.0 - tokens) / self._rate


class RequestRate:
    """Counts the requests of each client, and refuses those that are too many.

    Args:
        limits: for each client.
        exempt: paths that are not counted: a probe must not fail because another client at its address asks too often.
    """

    def __init__(self, limits: Limits, exempt: tuple[str, ...]) -> None:
        self._limits = limits
        self._exempt = exempt
        self._buckets = TokenBuckets(limits.requests_per_second, limits.burst)

    def refusal(self, request: HTTPConnection) -> Response | None:
        """Count a request; the answer to it where it is one too many."""
        exempt = request.url.path in self._exempt
        wait = 0.0 if exempt else self._buckets.take(client_address(request))
        return _too_many(self._limits, wait) if wait else None


def limit_requests(app: FastAPI, limits: Limits, rate: RequestRate) -> None:
    """Refuse requests that are too large or too many before anything else sees them."""

    @app.middleware("http")
    async def check(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        if (refusal := rate.refusal(request)) is not None:
            return refusal
        announced, most = request.headers.get("content-length", ""), limits.bytes_at(request.url.path)
        if announced.isdecimal() and int(announced[:20]) > most:
            error = too_large(most)
            await _discard(request, LINGERING * most)
            return refusal_response(error.status, error.code, str(error))
        return await proceed(request)


async def _discard(request: Request, most: int) -> None:
    """Read on, up to so many bytes."""
    read = 0
    with contextlib.suppress(ClientDisconnect):
        async for part in request.stream():
            read += len(part)
            if read > most:
                return


def client_address(request: HTTPConnection) -> str:
    """The client's address; behind a proxy on this machine, the one that it forwards."""
    return request.client.host if request.client else "unknown"


def too_large(limit: int) -> Refusal:
    """The refusal of a body of more than `limit` bytes."""
    return Refusal(413, "too-large", f"a request may have at most {limit} bytes, this one has more")


def _too_many(limits: Limits, wait: float) -> Response:
    seconds = math.ceil(wait)
    message = (
        f"a client may ask {limits.requests_per_second:g} times a second, {limits.burst} times at once; wait {seconds} s, "
        "or raise NULLSPLAT_REQUESTS_PER_SECOND and NULLSPLAT_REQUEST_BURST"
    )
    response = refusal_response(429, "too-many-requests", message, retryable=True)
    response.headers["Retry-After"] = str(seconds)
    return response

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sending a result on by C-STORE: one route per destination, each confirmed, each tried again until it succeeds.

Orthanc does not repeat a store job that failed, so the plugin does. A store that was begun but never confirmed
(Orthanc was killed) is begun again: the receiver knows the SOP Instance UIDs and takes them once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Tuple

WAITING, SENDING, DELIVERED, ABANDONED = "waiting", "sending", "delivered", "abandoned"
PHASES = frozenset({WAITING, SENDING, DELIVERED, ABANDONED})


@dataclass(frozen=True)
class Backoff:
    """Seconds between tries: doubled after each, up to `longest`."""

    first: float = 5.0
    longest: float = 300.0

    def delay(self, tries: int) -> float:
        """Return the wait after so many tries in a row that failed."""
        return float(min(self.longest, self.first * 2 ** min(max(tries - 1, 0), 32)))


@dataclass(frozen=True)
class Route:
    """A result's way to one destination.

    Attributes:
        destination: the destination's name in Orthanc's DicomModalities.
        job: identifier of Orthanc's store job while `phase` is sending.
        tries: stores that failed in a row.
        next_try: earliest time of the next store, seconds since the epoch.
        error: what went wrong last, empty when nothing did.
    """

    destination: str
    phase: str = WAITING
    job: str = ""
    tries: int = 0
    next_try: float = 0.0
    error: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.phase in (DELIVERED, ABANDONED)


def begun(route: Route, job: str) -> Route:
    """Return the route with a store job under way."""
    return replace(route, phase=SENDING, job=job)


def delivered(route: Route) -> Route:
    """Return the route with its store confirmed."""
    return replace(route, phase=DELIVERED, job="", error="")


def lost(route: Route) -> Route:
    """Return the route whose store job Orthanc no longer knows: it is to be sent again at once."""
    return replace(route, phase=WAITING, job="", next_try=0.0)


def failed(route: Route, error: str, now: float, backoff: Backoff) -> Route:
    """Return the route after a failed store, to be tried again later."""
    tries = route.tries + 1
    return replace(
        route, phase=WAITING, job="", tries=tries, next_try=now + backoff.delay(tries), error=error
    )


def abandoned(route: Route) -> Route:
    """Return the route with nothing more to be tried, unless it was delivered already."""
    return route if route.settled else replace(route, phase=ABANDONED, job="")


def next_look(routes: Tuple[Route, ...], now: float, poll: float = 0.0) -> Optional[float]:
    """Return when the routes need attention next, None when all are settled.

    Args:
        poll: seconds between looks at a running store job.
    """
    times = [
        now + poll if route.phase == SENDING else route.next_try for route in routes if not route.settled
    ]
    return min(times) if times else None

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sending a result on: one route for each series and destination, each confirmed, each retried.

Orthanc does not repeat a store job that failed, so the plugin does. A store that was started but never confirmed
(Orthanc was killed) is started again: the receiver knows the SOP Instance UIDs and keeps each once. What the destination
refuses for good is not retried, nor what fails for very long; both wait for a person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Collection, Optional, Sequence, Tuple

WAITING, SENDING, DELIVERED, ABANDONED = "waiting", "sending", "delivered", "abandoned"
COMMITTING = "committing"
"""Sent; the destination has been asked whether it keeps it, and has not answered yet."""
REFUSED, GIVEN_UP = "refused", "given-up"
OPEN = (WAITING, SENDING, COMMITTING)
PHASES = frozenset({*OPEN, DELIVERED, ABANDONED, REFUSED, GIVEN_UP})


NOTIFICATION = "notification"
"""What is sent to a webhook, in the place of a modality."""


LONGEST_WAIT = 86_400.0
"""Seconds; no stored wait is longer, except for a commitment."""


def has_come(at: float, now: float, longest: float = LONGEST_WAIT) -> bool:
    """Return whether a stored time has come; also true for one so far ahead that the clock must have been set back since."""
    return now >= at or at - now > longest


@dataclass(frozen=True)
class Backoff:
    """Seconds between tries: doubled after each, up to `longest`."""

    first: float = 5.0
    longest: float = 300.0

    def delay(self, tries: int) -> float:
        """Return the wait after so many tries in a row that failed."""
        return float(min(self.longest, self.first * 2 ** min(max(tries - 1, 0), 32)))


@dataclass(frozen=True)
class Persistence:
    """How long a delivery is retried.

    Attributes:
        most: tries after which it is given up.
    """

    backoff: Backoff
    most: int


@dataclass(frozen=True)
class Parcel:
    """A series that is to be sent: Orthanc's identifier, and what it is beside the images, empty for these."""

    series: str
    what: str = ""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a store or a storage commitment: in progress as long as nothing is set.

    Attributes:
        done: the destination confirmed all of it.
        transaction: all is sent, and the destination was asked under this name whether it keeps it.
        error: what went wrong.
        cure: what must be changed before it can succeed; empty when a retry may succeed.
    """

    done: bool = False
    error: str = ""
    cure: str = ""
    transaction: str = ""

    @property
    def settled(self) -> bool:
        """Whether it has ended."""
        return self.done or bool(self.error)


@dataclass(frozen=True)
class Route:
    """The way of one series of a result to one destination.

    Attributes:
        destination: its name in Orthanc's DicomModalities, in DicomWebDestinations or in Webhooks.
        series: Orthanc's identifier of what is sent; empty for all of the result, until that is first looked at.
        what: the modality of what goes along with the images, empty for these.
        job: identifier of Orthanc's store job, or of our own errand, while `phase` is sending; of the storage commitment
            while it is committing.
        tries: stores that failed in a row.
        next_try: earliest time of the next store, seconds since the epoch; while committing, when the wait ends.
        error: what went wrong last, empty when nothing did.
    """

    destination: str
    phase: str = WAITING
    job: str = ""
    tries: int = 0
    next_try: float = 0.0
    error: str = ""
    series: str = ""
    what: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.phase not in OPEN

    @property
    def undelivered(self) -> bool:
        """Whether it ended without success and needs a person."""
        return self.phase in (REFUSED, GIVEN_UP)

    @property
    def is_notification(self) -> bool:
        """Whether it is a notification; those come after all else."""
        return self.what == NOTIFICATION

    @property
    def name(self) -> str:
        """Return its name for messages."""
        return f"{self.destination} ({self.what})" if self.what else self.destination


def for_each(
    routes: Sequence[Route], parcels: Sequence[Parcel], notified: Collection[str] = ()
) -> Tuple[Route, ...]:
    """Return the routes with those that wait for all of a result as one for each of its series.

    Args:
        notified: destinations that are notified of the result as a whole.
    """
    split = []
    for route in routes:
        if route.series or route.phase != WAITING:
            split.append(route)
        elif route.destination in notified:
            split.append(replace(route, series=parcels[0].series, what=NOTIFICATION))
        else:
            split += [replace(route, series=parcel.series, what=parcel.what) for parcel in parcels]
    return tuple(split)


def due(routes: Sequence[Route]) -> Tuple[Route, ...]:
    """Return those that may go on: notifications only when nothing else is open, since they report how all else ended."""
    sent = tuple(route for route in routes if not route.is_notification)
    return tuple(routes) if all(route.settled for route in sent) else sent


def begun(route: Route, job: str) -> Route:
    """Return the route with a store job under way."""
    return replace(route, phase=SENDING, job=job)


def committing(route: Route, transaction: str, until: float) -> Route:
    """Return the route with all of it sent, and the destination asked whether it keeps it."""
    return replace(route, phase=COMMITTING, job=transaction, next_try=until)


def delivered(route: Route) -> Route:
    """Return the route with its store confirmed."""
    return replace(route, phase=DELIVERED, job="", next_try=0.0, error="")


def lost(route: Route, now: float, persistence: Persistence) -> Route:
    """Return the route whose store job Orthanc no longer knows: it is sent again, the first time at once."""
    again = failed(route, "the store was forgotten before it was confirmed", now, persistence)
    return replace(again, next_try=0.0) if again.phase == WAITING and not route.tries else again


def failed(route: Route, error: str, now: float, persistence: Persistence) -> Route:
    """Return the route after a failed store, to be tried again later, unless that was done often enough."""
    tries = route.tries + 1
    if tries >= persistence.most:
        words = f"given up after {tries} tries: {error}"
        return replace(route, phase=GIVEN_UP, job="", tries=tries, next_try=0.0, error=words)
    next_try = now + persistence.backoff.delay(tries)
    return replace(route, phase=WAITING, job="", tries=tries, next_try=next_try, error=error)


def refused(route: Route, error: str) -> Route:
    """Return the route after a permanent refusal."""
    return replace(route, phase=REFUSED, job="", tries=route.tries + 1, next_try=0.0, error=error)


def again(route: Route) -> Route:
    """Return the route reset for another try, if it ended without success, or notified that others did."""
    afresh = route.undelivered or route.is_notification
    return replace(route, phase=WAITING, tries=0, next_try=0.0) if afresh else route


def abandoned(route: Route) -> Route:
    """Return the route with nothing more to be tried, unless it was delivered already."""
    return route if route.settled else replace(route, phase=ABANDONED, job="")


def next_look(routes: Tuple[Route, ...], now: float, poll: float = 0.0) -> Optional[float]:
    """Return when the routes need attention next, None when all are settled.

    Args:
        poll: seconds between polls of a running store job or storage commitment.
    """
    times = [
        now + poll if route.phase != WAITING else now if has_come(route.next_try, now) else route.next_try
        for route in routes
        if not route.settled
    ]
    return min(times) if times else None

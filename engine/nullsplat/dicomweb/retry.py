"""Retries while the archive is unreachable, with a note that says so."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from nullsplat.core.errors import ArchiveError, ArchiveUnavailable
from nullsplat.dicomweb.connection import PASSING

T = TypeVar("T")

FIRST_PAUSE = 0.2
"""Seconds. Nearly at once, because Orthanc closes idle connections after a second, which looks like an error."""
LONGEST_PAUSE = 30.0
TICK = 0.5


class LastContact:
    """When the archive last sent or accepted something, on the monotonic clock; 0 before the first time."""

    def __init__(self) -> None:
        self.at = 0.0

    def note(self) -> None:
        """Set it to now."""
        self.at = time.monotonic()


def retry_until_deadline(
    action: Callable[[], T],
    timeout: float,
    report: Callable[[str], None],
    last_contact: LastContact | None = None,
) -> T:
    """Call `action`; while the archive is unreachable or its error is transient, retry with exponential backoff.

    Args:
        action: may be called several times.
        timeout: seconds without contact until giving up.
        report: called twice a second with the reason for the delay; may raise to give up earlier.
        last_contact: updated by the action whenever the archive answers. If it did so for a while within an attempt, the
            deadline starts over; an attempt that got no answer until it timed out does not count.
    Raises:
        ArchiveError: the archive refused, or was unreachable for longer than `timeout`.
    """
    deadline = time.monotonic() + timeout
    pause = FIRST_PAUSE
    while True:
        begun = time.monotonic()
        try:
            return action()
        except PASSING as error:
            # It answered for a while: this is a new outage.
            if last_contact is not None and last_contact.at - begun > LONGEST_PAUSE:
                deadline, pause = last_contact.at + timeout, FIRST_PAUSE
            if time.monotonic() + pause > deadline:
                raise ArchiveError(f"{error}; given up after {timeout:.0f} s, run the job again") from error
            _wait(pause, report, f"{error}; trying again")
        pause = min(LONGEST_PAUSE, max(1.0, 2 * pause))


def retry_with_pauses(action: Callable[[], T], pauses: Sequence[float], report: Callable[[str], None]) -> T:
    """Call `action`; while the archive is unreachable, retry after each of the pauses, then raise.

    Args:
        action: may be called once more than there are pauses.
        pauses: seconds.
        report: called twice a second with the reason for the delay.
    Raises:
        ArchiveUnavailable: the last attempt failed as well.
        ArchiveError: the archive refused.
    """
    for pause in pauses:
        try:
            return action()
        except ArchiveUnavailable as error:
            _wait(pause, report, f"{error}; trying again")
    return action()


def _wait(seconds: float, report: Callable[[str], None], why: str) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        report(why)
        time.sleep(min(TICK, left))

"""Trying again while the archive is away, without hiding it."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from nullsplat.core.errors import ArchiveAway, ArchiveError
from nullsplat.dicomweb.connection import PASSING

T = TypeVar("T")

FIRST_PAUSE = 0.2
"""Seconds. Nearly at once, because Orthanc closes idle connections after a second, which looks like an error."""
LONGEST_PAUSE = 30.0
TICK = 0.5


class Heard:
    """When the archive last gave or took something, on the monotonic clock; 0 before the first time."""

    def __init__(self) -> None:
        self.at = 0.0

    def note(self) -> None:
        """It did so now."""
        self.at = time.monotonic()


def patiently(
    action: Callable[[], T], patience: float, tell: Callable[[str], None], heard: Heard | None = None
) -> T:
    """Do what needs the archive; while it is away, or answers what may pass, try again, at growing intervals.

    Args:
        action: may be called several times.
        patience: seconds until giving up.
        tell: hears twice a second why it takes so long; may raise to give up earlier.
        heard: noted by the action whenever the archive gave something. An archive that was there for a while within an
            attempt has a new absence forgiven; one that is silent until a time-out was never there.
    Raises:
        ArchiveError: the archive refused, or was away for longer than `patience`.
    """
    deadline = time.monotonic() + patience
    pause = FIRST_PAUSE
    while True:
        begun = time.monotonic()
        try:
            return action()
        except PASSING as error:
            # It was there for a while: a new absence begins.
            if heard is not None and heard.at - begun > LONGEST_PAUSE:
                deadline, pause = heard.at + patience, FIRST_PAUSE
            if time.monotonic() + pause > deadline:
                raise ArchiveError(f"{error}; given up after {patience:.0f} s, run the job again") from error
            _wait(pause, tell, f"{error}; trying again")
        pause = min(LONGEST_PAUSE, max(1.0, 2 * pause))


def repeatedly(action: Callable[[], T], pauses: Sequence[float], tell: Callable[[str], None]) -> T:
    """Do what needs the archive; while it is away try again after each of the pauses, then let the error through.

    Args:
        action: may be called once more than there are pauses.
        pauses: seconds.
        tell: hears twice a second why it takes so long.
    Raises:
        ArchiveAway: the last attempt failed as well.
        ArchiveError: the archive refused.
    """
    for pause in pauses:
        try:
            return action()
        except ArchiveAway as error:
            _wait(pause, tell, f"{error}; trying again")
    return action()


def _wait(seconds: float, tell: Callable[[str], None], why: str) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        tell(why)
        time.sleep(min(TICK, left))

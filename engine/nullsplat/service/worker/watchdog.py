"""Ends stages that hang past their time limit.

A stage that reports progress is told at its next report that it took too long, and stops by itself. One that no longer
reports, inside a driver or an endless loop, cannot be stopped from outside: Python has no way to kill a thread, and its
GPU memory stays allocated. So the worker writes what happened into the job's row and then restarts itself, as the same process.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from nullsplat.core.errors import StorageError, TimedOut
from nullsplat.service.queue.jobs import JobStore

LOOK = 0.5
"""Seconds between two checks of the clock."""
_FIRST_AFTER_STANDARD = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watched:
    """The stage under way, and its deadline.

    Attributes:
        limit: seconds that the stage may take.
        deadline: on the monotonic clock.
    """

    key: str
    stage: str
    limit: float
    deadline: float


class Watchdog:
    """Checks the clock in its own thread."""

    def __init__(self, store: JobStore, grace: float, restart: Callable[[], NoReturn]) -> None:
        """Watch.

        Args:
            store: where the job is marked as failed.
            grace: seconds after its limit in which a stage may still stop by itself.
            restart: called when it did not.
        """
        self._store = store
        self._grace = grace
        self._restart = restart
        self._lock = threading.Lock()
        self._watched: dict[str, Watched] = {}

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, daemon=True, name="nullsplat-watchdog").start()

    @contextlib.contextmanager
    def watching(self, key: str, stage: str, limit: float) -> Iterator[None]:
        """Watch a stage that may take `limit` seconds while the block runs."""
        watched = Watched(key, stage, limit, time.monotonic() + limit + self._grace)
        with self._lock:
            self._watched[key] = watched
        try:
            yield
        finally:
            with self._lock:
                self._watched.pop(key, None)

    def _run(self) -> None:
        while True:
            time.sleep(LOOK)
            with self._lock:
                late = [one for one in self._watched.values() if time.monotonic() > one.deadline]
            if late:
                self._end(late[0])

    def _end(self, late: Watched) -> None:
        failure = {"code": TimedOut.code, "message": stuck(late.stage, late.limit), "retryable": False}
        logger.error(failure["message"], extra={"job": late.key, "stage": late.stage, "code": TimedOut.code})
        try:
            self._store.fail(late.key, failure)
        except (
            StorageError
        ) as error:  # then the job is taken up again, and counts as one that took its worker down
            logger.error("the job could not be marked as failed: %s", error, extra={"job": late.key})
        self._restart()


def stuck(stage: str, limit: float) -> str:
    """The message for a stage that did not stop."""
    return (
        f"{stage} may take {limit:.0f} s and did not stop when they were over, so its worker was restarted; look for the "
        f"cause in the worker's and the system's log, or raise NULLSPLAT_{stage.upper()}_LIMIT_SECONDS"
    )


def restart_process() -> NoReturn:
    """Replace this process by a fresh worker with the same command, process ID and name, releasing threads, memory and GPU."""
    os.closerange(_FIRST_AFTER_STANDARD, os.sysconf("SC_OPEN_MAX"))
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the very command that this process was started with

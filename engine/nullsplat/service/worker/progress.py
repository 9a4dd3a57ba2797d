"""Passes a stage's progress on to the database, and requests to stop back into the stage."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping

from nullsplat.core.errors import Cancelled, StorageError, TimedOut
from nullsplat.core.measure import Cost
from nullsplat.service.contract.messages import STAGES
from nullsplat.service.queue.jobs import JobStore, Stage
from nullsplat.service.worker.eta import overall, remaining

REPORT_INTERVAL = 0.5
"""Seconds between two writes to the database, to spare the disk."""
NOTE_LENGTH = 200
SHORT_STAGES = ("derive", "store")
"""Stages that a stopping worker completes; the others are repeated at the next start."""

logger = logging.getLogger(__name__)


class StopSignal:
    """Tells the job's thread that the worker is stopping, and the worker that the job is suspended.

    A job that is suspended neither ends nor fails: for the queue it is still running, so that the next worker
    resumes its last unfinished stage, exactly as after a kill.
    """

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._changed = threading.Condition()
        self._busy: set[str] = set()
        self._suspended: set[str] = set()

    def request(self) -> None:
        """Ask the job to suspend."""
        self._requested.set()

    @contextlib.contextmanager
    def busy(self, key: str) -> Iterator[None]:
        """Count the job as running while the block runs."""
        with self._changed:
            self._busy.add(key)
        try:
            yield
        finally:
            self._release(key)

    def suspend_if_requested(self, key: str) -> None:
        """Called by the job where it can be interrupted; does not return once a stop is requested."""
        if not self._requested.is_set():
            return
        self._suspended.add(key)
        self._release(key)
        threading.Event().wait()

    def suspended_jobs(self, timeout: float) -> frozenset[str]:
        """Wait until no stage is running, or `timeout` seconds; the unfinished jobs."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, timeout)
        return frozenset(self._suspended)

    def _release(self, key: str) -> None:
        with self._changed:
            self._busy.discard(key)
            self._changed.notify_all()


class StageReporter:
    """Receives the progress of one stage of one job; fulfils `nullsplat.core.progress.Progress`."""

    def __init__(
        self,
        store: JobStore,
        key: str,
        stage: str,
        stages: list[Stage],
        weights: Mapping[str, float],
        limit: float,
    ) -> None:
        self._store = store
        self.key = key
        self._stages = [dict(entry) for entry in stages]
        position = STAGES.index(stage)
        self._stage = self._stages[position]
        for earlier in self._stages[:position]:  # or this one would not have begun
            earlier.update(state="done", progress=1.0)
        self._weights = weights
        self._limit = limit
        self._cost = Cost()
        self._started = time.monotonic()
        self._written = 0.0

    def start(self, cost: Cost) -> None:
        """Show the stage as running.

        Raises:
            Cancelled: the job was cancelled.
        """
        self._cost = cost
        self._stage.update(state="running", progress=0.0)
        self._write()

    def __call__(self, fraction: float, note: str = "") -> None:
        """Report `fraction` in [0, 1] of the stage.

        Raises:
            Cancelled: the job was cancelled; noticed half a second later at most.
            TimedOut: the stage takes longer than it may.
        """
        elapsed = time.monotonic() - self._started
        if elapsed > self._limit:
            name = self._stage["name"]
            raise TimedOut(
                f"{name} may take {self._limit:.0f} s and was at {fraction:.0%} by then; raise "
                f"NULLSPLAT_{name.upper()}_LIMIT_SECONDS or choose a faster preset"
            )
        self._stage["progress"] = min(1.0, max(0.0, float(fraction)))
        self._stage["note"] = note[:NOTE_LENGTH]
        if time.monotonic() - self._written >= REPORT_INTERVAL:
            self._write()

    def finish(self) -> None:
        """Show the stage as done.

        Raises:
            Cancelled: the job was cancelled.
        """
        self._stage.update(state="done", progress=1.0)
        self._stage.pop("note", None)
        self._write()

    def fail(self) -> None:
        """Show the stage as failed."""
        self._stage["state"] = "failed"
        with contextlib.suppress(Cancelled):
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        self._measure()
        done, rest = overall(self._stages, self._weights), remaining(self._stages, self._weights)
        try:
            wanted = self._store.report(self.key, self._stages, done, rest)
        except StorageError as error:
            # Hours of work are not discarded because the database is unreachable for a while.
            logger.warning("progress could not be stored: %s", error, extra={"job": self.key})
            return
        if not wanted:
            raise Cancelled("the job was cancelled on request")

    def _measure(self) -> None:
        self._stage["seconds"] = round(time.monotonic() - self._started, 2)
        self._stage["peak_memory_mib"] = round(self._cost.peak_memory_mib, 1)

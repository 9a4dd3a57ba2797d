"""From a stage's reports to what everybody can see, and from a wish to stop back into the stage."""

import logging
import threading
import time
from collections.abc import Mapping

from nullsplat.core.errors import Cancelled, TimedOut
from nullsplat.core.measure import Cost
from nullsplat.service.contract.messages import STAGES
from nullsplat.service.eta import overall, remaining
from nullsplat.service.jobs import JobStore, Stage

REPORT_INTERVAL = 0.5
"""Seconds between two writes to the database; more would only wear the disk."""
NOTE_LENGTH = 200
SHORT_STAGES = ("derive", "store")
"""Stages that a worker brings to an end when it is told to stop; the others begin again at the next start."""

logger = logging.getLogger(__name__)


class StopSignal:
    """Tells the job's thread that the worker is going down, and the worker that the job stands still.

    A job that is parked neither ends nor fails: for the queue it is still running, so that the next worker
    goes on with its last unfinished stage, exactly as after a kill.
    """

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._busy = 0
        self._changed = threading.Condition()

    def request(self) -> None:
        """Ask the job to stand still."""
        self._requested.set()

    def park_if_requested(self) -> None:
        """Called by the job where it can be left; does not return once a stop is requested."""
        if not self._requested.is_set():
            return
        self.leave()
        threading.Event().wait()

    def enter(self) -> None:
        """A stage begins."""
        self._change(1)

    def leave(self) -> None:
        """A stage has ended."""
        self._change(-1)

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait until no stage is being worked on; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._busy <= 0, timeout)

    def _change(self, by: int) -> None:
        with self._changed:
            self._busy += by
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
        self._key = key
        self._stages = [dict(entry) for entry in stages]
        self._stage = self._stages[STAGES.index(stage)]
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
        self._measure()
        self._store.report(self._key, self._stages, overall(self._stages, self._weights), None)

    def _write(self) -> None:
        self._written = time.monotonic()
        self._measure()
        done = overall(self._stages, self._weights)
        if not self._store.report(self._key, self._stages, done, remaining(self._stages, self._weights)):
            raise Cancelled("the job was cancelled on request")

    def _measure(self) -> None:
        self._stage["seconds"] = round(time.monotonic() - self._started, 2)
        self._stage["peak_memory_mib"] = round(self._cost.peak_memory_mib, 1)

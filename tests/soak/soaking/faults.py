"""Does what the plan says will go wrong, undoes it, and notes how long the node needed to be there again."""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from soaking.destinations import WAYS
from soaking.parts import NO_ROOM_MIB, Parts
from soaking.plan import Fault

KILLED = ("worker", "api", "orthanc")
MOST_KILLS_OF_ONE_JOB = 2
"""A job that takes its worker down three times is given up on purpose; random kills must not look like that."""
POSTPONED = 3.0
"""Seconds until a kill is tried again that would have been one too many, or whose part is still down."""

RESTARTED_AFTER = 2.0
"""Seconds until a process that ended by itself is started again."""


@dataclass
class Noted:
    """A fault as it happened; times in seconds from the start of the run.

    Attributes:
        ready_at: when the part did its work again, None when it did not before the end.
    """

    kind: str
    began: float
    ended: float | None = None
    ready_at: float | None = None
    words: str = ""

    @property
    def recovery(self) -> float | None:
        """Seconds from the end of the fault until the part was ready."""
        return None if self.ready_at is None or self.ended is None else self.ready_at - self.ended


@dataclass(order=True)
class _Due:
    at: float
    number: int
    action: Callable[[], None] = field(compare=False)


class Faults:
    """Performs faults from the thread that calls `tick`.

    Attributes:
        noted: what happened, in order.
    """

    def __init__(self, parts: Parts, faults: list[Fault], say: Callable[[str], None]) -> None:
        self.noted: list[Noted] = []
        self._parts = parts
        self._say = say
        self._due: list[_Due] = []
        self._down: dict[str, Noted] = {}
        self._starting: list[Noted] = []
        self._hits: dict[str, int] = {}
        self._started = time.monotonic()
        for fault in faults:
            self._at(fault.at, lambda fault=fault: self._begin(fault))

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def over(self) -> bool:
        """Whether everything happened, was undone, and every part is there again."""
        return not self._due and not self._down and not self._starting

    def start(self) -> None:
        """Count the times of the plan from now."""
        self._started = time.monotonic()

    def tick(self) -> None:
        """Do what is due."""
        while self._due and self._due[0].at <= self.now:
            heapq.heappop(self._due).action()
        for noted in [one for one in self._starting if self._parts.is_ready(one.kind)]:
            noted.ready_at = self.now
            self._starting.remove(noted)
        for name in self._parts.dead():
            self._say(f"{name} ended by itself; it is started again, as a service manager would")
            noted = Noted(name, self.now, words="ended by itself")
            self.noted.append(noted)
            self._at(self.now + RESTARTED_AFTER, lambda noted=noted: self._restart(noted))

    def _at(self, at: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, _Due(at, len(self._due) + 1000 * len(self.noted), action))

    def _begin(self, fault: Fault) -> None:
        part = self._part_of(fault.kind)
        busy = part in self._down or any(one.kind == part for one in self._starting)
        if busy or (part == "worker" and not self._may_kill_worker()):
            self._at(self.now + POSTPONED, lambda: self._begin(fault))
            return
        noted = Noted(fault.kind, self.now)
        self._say(f"{fault.kind}: {'killed' if fault.kind in KILLED else 'begins'}, for {fault.lasts:.1f} s")
        self._break(fault.kind)
        self._down[part] = noted
        self.noted.append(noted)
        self._at(self.now + fault.lasts, lambda: self._end(fault, noted))

    def _part_of(self, kind: str) -> str:
        """Where a full spool is played by the worker's settings, the worker is what is down."""
        return "worker" if kind == "spool-full" and not self._parts.spool.mounted else kind

    def _break(self, kind: str) -> None:
        parts = self._parts
        if kind in KILLED:
            parts.kill(kind)
        elif kind in WAYS:
            parts.destinations.by_kind[kind].stop()
        elif kind == "archive-full":
            parts.archive.fill()
        elif parts.spool.mounted:
            parts.spool.fill()
        else:
            parts.kill("worker")
            parts.start_worker(NO_ROOM_MIB)

    def _end(self, fault: Fault, noted: Noted) -> None:
        del self._down[self._part_of(fault.kind)]
        noted.ended = self.now
        parts = self._parts
        if fault.kind in KILLED:
            self._start(fault.kind)
        elif fault.kind in WAYS:
            parts.destinations.by_kind[fault.kind].start()
        elif fault.kind == "archive-full":
            parts.archive.free()
        elif parts.spool.mounted:
            parts.spool.free()
        else:
            parts.kill("worker")
            parts.start_worker()
        if fault.kind in ("worker", "api"):
            self._starting.append(noted)
        else:
            noted.ready_at = self.now

    def _start(self, name: str) -> None:
        {
            "worker": self._parts.start_worker,
            "api": self._parts.start_api,
            "orthanc": self._parts.orthanc.start,
        }[name]()

    def _restart(self, noted: Noted) -> None:
        noted.ended = self.now
        self._starting.append(noted)
        self._start(noted.kind)

    def _may_kill_worker(self) -> bool:
        answer = self._parts.ask_engine("/v1/jobs?state=running")
        if answer is None:
            return False
        running = [job["key"] for job in answer.json()["jobs"]]
        if any(self._hits.get(key, 0) >= MOST_KILLS_OF_ONE_JOB for key in running):
            return False
        for key in running:
            self._hits[key] = self._hits.get(key, 0) + 1
        return True

"""The node as a discrete simulation: workers that take one series at a time, fail, restart and stand still for maintenance.

Times of arrival and work are the trace's; what is drawn here is when workers fail, and whether attempts after the first do.
"""

import random
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
import simpy
from jaxtyping import Float
from numpy import ndarray

from nullsplat.planning.line import Line
from nullsplat.planning.notation import DAY, WEEK, seconds_of, weekly_window
from nullsplat.planning.site import Site
from nullsplat.planning.trace import Trace

MAX_ATTEMPTS = 3
"""How often a job may lose its worker before it is given up, as in service.worker.workflow."""
PICKUP = 0.25
"""Seconds until an idle worker sees a job: half of the time between two looks at the queue."""
FAILURE, MAINTENANCE = "failure", "maintenance"

Events = Generator[simpy.Event, None, None]


@dataclass(frozen=True)
class Course:
    """What became of each series of a trace.

    Attributes:
        began: when a worker first began with it; NaN for never.
        ended: when its result was stored; NaN where it was given up, or not reached in time.
        busy: seconds that workers worked, all together.
    """

    began: Float[ndarray, "series"]
    ended: Float[ndarray, "series"]
    busy: float


@dataclass
class _Work:
    """How far a series is.

    Attributes:
        since: when it was queued last.
        done: stages that lie finished in the spool.
    """

    since: float
    begun: bool = False
    done: int = 0
    attempt: int = 1
    lost: int = 0


@dataclass(eq=False)
class _Worker:
    woken: simpy.Event | None = None
    number: int | None = None
    since: float = 0.0
    up: bool = True
    process: simpy.Process | None = field(default=None, repr=False)


def simulate(trace: Trace, site: Site, workers: int, seed: int = 0, pickup: float = PICKUP) -> Course:
    """Let so many workers do the series of a trace."""
    return _Node(trace, site, pickup, random.Random(seed)).run(workers)


class _Node:
    def __init__(self, trace: Trace, site: Site, pickup: float, chance: random.Random) -> None:
        self._trace, self._site, self._pickup, self._chance = trace, site, pickup, chance
        self._env = simpy.Environment()
        self._line = Line(site.jobs.ageing_seconds)
        self._work: dict[int, _Work] = {}
        self._idle: list[_Worker] = []
        self._closed_until = 0.0
        self._due = trace.due.tolist()
        self._priorities = [site.stream[number].priority for number in trace.stream]
        self._seconds = trace.stages.sum(axis=1).tolist()
        self._began = np.full(len(trace.due), np.nan)
        self._ended = np.full(len(trace.due), np.nan)
        self._busy = 0.0

    def run(self, count: int) -> Course:
        workers = [_Worker() for _ in range(count)]
        for worker in workers:
            worker.process = self._env.process(self._life(worker))
            if self._site.workers.days_between_failures:
                self._env.process(self._failures(worker))
        if self._site.workers.maintenance:
            self._env.process(self._maintenance(workers))
        self._env.process(self._arrivals())
        self._env.run(until=self._trace.seconds)
        return Course(self._began, self._ended, self._busy)

    # What comes in

    def _arrivals(self) -> Events:
        for number, due in enumerate(self._due):
            if due > self._env.now:
                yield self._env.timeout(due - self._env.now)
            self._work[number] = _Work(due)
            self._queue(number)

    def _queue(self, number: int) -> None:
        self._line.put(self._priorities[number], self._work[number].since, number)
        self._wake_one()

    def _queue_later(self, number: int, seconds: float) -> Events:
        yield self._env.timeout(seconds)
        self._queue(number)

    def _wake_one(self) -> None:
        if self._idle and (woken := self._idle.pop(0).woken) is not None:
            woken.succeed()

    # A worker

    def _life(self, me: _Worker) -> Events:
        while True:
            try:
                number = yield from self._next(me)
                yield from self._do(me, number)
            except simpy.Interrupt as interrupt:
                yield from self._down(me, str(interrupt.cause))

    def _next(self, me: _Worker) -> Generator[simpy.Event, None, int]:
        while (entry := self._line.take(self._env.now)) is None:
            me.woken = self._env.event()
            self._idle.append(me)
            yield me.woken
        me.number, me.since = entry[1], self._env.now + self._pickup
        return entry[1]

    def _do(self, me: _Worker, number: int) -> Events:
        work = self._work[number]
        seconds = float(self._trace.stages[number, work.done :].sum()) if work.done else self._seconds[number]
        if not work.begun:
            work.begun, self._began[number] = True, me.since
        luck, failing = self._luck(number), self._site.jobs.failing
        fails = luck < failing
        seconds *= luck / failing if fails else 1.0
        yield self._env.timeout(self._pickup + seconds)
        me.number = None
        self._line.leave(number, self._env.now)
        self._busy += seconds
        if fails:
            self._failed(number)
        else:
            self._ended[number] = self._env.now
            del self._work[number]

    def _luck(self, number: int) -> float:
        return float(self._trace.luck[number]) if self._work[number].attempt == 1 else self._chance.random()

    def _failed(self, number: int) -> None:
        """A new attempt begins with the first stage, behind those that were queued before."""
        attempt, wait = self._work[number].attempt + 1, seconds_of(self._site.jobs.retry)
        if attempt > self._site.jobs.attempts:
            del self._work[number]
            return
        self._work[number] = _Work(self._env.now + wait, begun=True, attempt=attempt)
        self._env.process(self._queue_later(number, wait))

    # What goes wrong

    def _failures(self, worker: _Worker) -> Events:
        mean = self._site.workers.days_between_failures * DAY
        while True:
            yield self._env.timeout(self._chance.expovariate(1 / mean))
            self._interrupt(worker, FAILURE)

    def _maintenance(self, workers: list[_Worker]) -> Events:
        window = weekly_window(self._site.workers.maintenance)
        yield self._env.timeout(window.start)
        while True:
            self._closed_until = self._env.now + window.length
            for worker in workers:
                self._interrupt(worker, MAINTENANCE)
            yield self._env.timeout(WEEK)

    def _interrupt(self, worker: _Worker, cause: str) -> None:
        if worker.up and worker.process is not None:
            worker.up = False
            worker.process.interrupt(cause)

    def _down(self, me: _Worker, cause: str) -> Events:
        if me in self._idle:
            self._idle.remove(me)
        elif me.number is None and len(self._line):
            self._wake_one()  # it was woken for a series that it does not take any more
        if me.number is not None:
            self._leave(me.number, max(0.0, self._env.now - me.since), cause)
            me.number = None
        if cause == FAILURE:
            yield self._env.timeout(seconds_of(self._site.workers.restart))
        while (rest := self._closed_until - self._env.now) > 0:
            yield self._env.timeout(rest)
        me.up = True

    def _leave(self, number: int, worked: float, cause: str) -> None:
        """Put a series back whose worker is gone: it goes on after the last finished stage, in its old place."""
        self._busy += worked
        self._line.leave(number, self._env.now)
        work = self._work[number]
        ends = np.cumsum(self._trace.stages[number, work.done :])
        work.done += int(np.searchsorted(ends, worked, side="right"))
        if cause == MAINTENANCE:
            self._queue(number)
            return
        work.lost += 1
        if work.lost >= MAX_ATTEMPTS:
            del self._work[number]
            return
        self._env.process(self._queue_later(number, seconds_of(self._site.workers.noticed)))

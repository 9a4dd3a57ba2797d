"""Which workers are alive: each keeps a row that says which process it is and when it was last seen."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from nullsplat.core.errors import ConfigurationError, StorageError
from nullsplat.service.database import transaction, workers
from nullsplat.service.settings import host_name

BEAT = 5.0
"""Seconds between two signs of life."""
LOST_AFTER = 60.0
"""Seconds without a sign of life after which a worker on another machine counts as dead."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Identity:
    """A process, told apart from any later one that gets the same number."""

    executor_id: str
    host: str
    boot_id: str
    pid: int
    process_start: str


def this_process(executor_id: str | None) -> Identity:
    """The identity of the calling process; without a name of its own it is called after host, number and start."""
    pid, host, start = os.getpid(), host_name(), _start_of(os.getpid()) or ""
    return Identity(executor_id or f"{host}:{pid}:{start}"[:100], host, _boot_id(), pid, start)


class Registry:
    """The workers' rows.

    Every method raises:
        StorageError: the database does not answer.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def enter(self, me: Identity) -> None:
        """Add or take over the row of `me`.

        Raises:
            ConfigurationError: a living worker has that name.
        """
        with transaction(self._engine) as connection:
            for other, seen in _rows(connection).items():
                if other.executor_id == me.executor_id and _alive(other, seen):
                    raise ConfigurationError(
                        f"a worker called {me.executor_id} is running already (process {other.pid} on {other.host}); "
                        "give each worker its own NULLSPLAT_EXECUTOR_ID, or none"
                    )
            connection.execute(sa.delete(workers).where(workers.c.executor_id == me.executor_id))
            connection.execute(sa.insert(workers).values(**vars(me), seen=time.time()))

    def beat(self, me: Identity) -> None:
        """Sign of life."""
        with transaction(self._engine) as connection:
            connection.execute(
                sa.update(workers).where(workers.c.executor_id == me.executor_id).values(seen=time.time())
            )

    def leave(self, me: Identity) -> None:
        """Remove the row of a worker that ends."""
        with transaction(self._engine) as connection:
            connection.execute(sa.delete(workers).where(workers.c.executor_id == me.executor_id))

    def alive(self) -> set[str]:
        """Names of the workers that live; rows of dead ones are removed on the way."""
        with transaction(self._engine) as connection:
            rows = _rows(connection)
            dead = {worker.executor_id for worker, seen in rows.items() if not _alive(worker, seen)}
            if dead:
                connection.execute(sa.delete(workers).where(workers.c.executor_id.in_(dead)))
        return {worker.executor_id for worker in rows} - dead


class Heartbeat:
    """Keeps the row fresh from a thread of its own, whatever the job's thread is doing."""

    def __init__(self, registry: Registry, me: Identity, tell: Callable[[], None]) -> None:
        """Beat for `me`; `tell`, called at each beat, leaves in the database what else there is to say."""
        self._registry = registry
        self._me = me
        self._tell = tell
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="nullsplat-heartbeat")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            # The database may be away; the next beat may find it again.
            with contextlib.suppress(StorageError, OSError):
                self._registry.beat(self._me)
                self._tell()
            if self._stop.wait(BEAT):
                return


def _alive(worker: Identity, seen: float) -> bool:
    """On this machine the process itself is asked; elsewhere only the clock can tell."""
    if worker.host != host_name():
        return time.time() - seen < LOST_AFTER
    return worker.boot_id == _boot_id() and _start_of(worker.pid) == worker.process_start


def _rows(connection: sa.Connection) -> dict[Identity, float]:
    """The workers and when each was last seen."""
    found = {}
    for row in connection.execute(sa.select(workers)):
        values = dict(row._mapping)
        seen = values.pop("seen")
        found[Identity(**values)] = seen
    return found


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""


def _start_of(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; None if there is none. Zombies are dead."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the command in parentheses and may contain anything, also spaces.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]

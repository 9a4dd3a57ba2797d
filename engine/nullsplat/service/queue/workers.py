"""Which workers are alive: each keeps a row that says which process it is and when it was last seen."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from nullsplat.core.errors import ConfigurationError, StorageError
from nullsplat.service.database.tables import devices, now, transaction, workers
from nullsplat.service.settings import host_name

LOST_AFTER = 60.0
"""Seconds without a heartbeat after which a worker on another machine counts as dead, unless it was set otherwise."""
BEATS = 12
"""Heartbeats in the time after which a worker on another machine counts as dead."""

logger = logging.getLogger(__name__)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Identity:
    """A process, told apart from any later one with the same process ID."""

    executor_id: str
    host: str
    boot_id: str
    pid: int
    process_start: str


def this_process(executor_id: str | None) -> Identity:
    """The identity of the calling process; unless named, it is called after host, process ID and start."""
    pid, host, start = os.getpid(), host_name(), _start_of(os.getpid()) or ""
    return Identity(executor_id or f"{host}:{pid}:{start}"[:100], host, _boot_id(), pid, start)


class Registry:
    """The workers' rows.

    Every method raises:
        StorageError: the database does not answer.
    """

    def __init__(self, engine: sa.Engine, lost_after: float = LOST_AFTER) -> None:
        """Keep the rows.

        Args:
            engine: the database.
            lost_after: seconds without a heartbeat after which a worker on another machine counts as dead.
        """
        self._engine = engine
        self.lost_after = lost_after

    def enter(self, me: Identity, device: str = "") -> None:
        """Add or take over the row of `me`, and claim its GPU.

        Args:
            me: the calling process.
            device: the unique name of its GPU; empty where it computes on the CPU.
        Raises:
            ConfigurationError: a live worker has that name or that GPU.
        """
        with transaction(self._engine) as connection:
            others = {worker.executor_id: worker for worker in self._living(connection) if worker != me}
            if me.executor_id in others:
                raise ConfigurationError(
                    f"a worker called {me.executor_id} is running already ({_where(others[me.executor_id])}); "
                    "give each worker its own NULLSPLAT_EXECUTOR_ID, or none"
                )
            if device:
                _take_device(connection, device, me, others)
            connection.execute(sa.delete(workers).where(workers.c.executor_id == me.executor_id))
            connection.execute(sa.insert(workers).values(**vars(me), seen=now(connection)))

    def beat(self, me: Identity) -> None:
        """Heartbeat, also of a worker that was presumed dead meanwhile because it was silent."""
        with transaction(self._engine) as connection:
            mine = sa.update(workers).where(workers.c.executor_id == me.executor_id)
            if not connection.execute(mine.values(seen=now(connection))).rowcount:
                logger.warning("this worker was presumed dead and is back; its job continues elsewhere")
                connection.execute(sa.insert(workers).values(**vars(me), seen=now(connection)))

    def leave(self, me: Identity) -> None:
        """Remove the rows of a worker that ends."""
        with transaction(self._engine) as connection:
            for table in (workers, devices):
                connection.execute(sa.delete(table).where(table.c.executor_id == me.executor_id))

    def alive(self) -> set[str]:
        """Names of the live workers; rows of dead ones are removed on the way."""
        return set(self.last_seen())

    def last_seen(self) -> dict[str, float]:
        """Names of the live workers, and when each had its last heartbeat: seconds since 1970."""
        with transaction(self._engine) as connection:
            living = self._living(connection)
            for worker, seen in _rows(connection).items():
                if worker not in living:  # unless its heartbeat has just come
                    gone = workers.c.executor_id == worker.executor_id, workers.c.seen == seen
                    connection.execute(sa.delete(workers).where(*gone))
        return {worker.executor_id: seen for worker, seen in living.items()}

    def _living(self, connection: sa.Connection) -> dict[Identity, float]:
        earliest = now(connection) - self.lost_after
        return {worker: seen for worker, seen in _rows(connection).items() if _alive(worker, seen, earliest)}


class Heartbeat:
    """Keeps the row fresh from its own thread, whatever the job's thread is doing."""

    def __init__(self, registry: Registry, me: Identity, tell: Callable[[], None]) -> None:
        """Beat for `me`; `tell`, called at each beat, stores what else there is to report."""
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
            # The database may be unreachable; the next beat may reach it.
            with contextlib.suppress(StorageError, OSError):
                self._registry.beat(self._me)
                self._tell()
            if self._stop.wait(self._registry.lost_after / BEATS):
                return


def _take_device(connection: sa.Connection, device: str, me: Identity, others: dict[str, Identity]) -> None:
    holder = connection.execute(
        sa.select(devices.c.executor_id).where(devices.c.device == device).with_for_update()
    ).scalar_one_or_none()
    if holder in others:
        raise ConfigurationError(
            f"worker {holder} ({_where(others[holder])}) has this GPU already, and one GPU does one job at a time; give "
            "each worker its own GPU with CUDA_VISIBLE_DEVICES"
        )
    connection.execute(sa.delete(devices).where(devices.c.device == device))
    connection.execute(sa.insert(devices).values(device=device, executor_id=me.executor_id))


def _where(worker: Identity) -> str:
    return f"process {worker.pid} on {worker.host}"


def _alive(worker: Identity, seen: float, earliest: float) -> bool:
    """On this machine the process table decides; elsewhere the last heartbeat does."""
    if worker.host != host_name():
        return seen > earliest
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

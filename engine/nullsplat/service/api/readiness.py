"""Whether the engine could do a job right now, and if not, what is wrong."""

import functools
import shutil
import tempfile
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from nullsplat.core.errors import NoWorker, NullSplatError, StorageError
from nullsplat.dicomweb.archive import Archive
from nullsplat.service.database.integrity import IntegrityWatch, require_schema
from nullsplat.service.database.tables import jobs, transaction
from nullsplat.service.folders import MIB
from nullsplat.service.processing.protocol import Processing
from nullsplat.service.queue.workers import Registry
from nullsplat.service.settings import Settings

FRESH = 2.0
"""Seconds for which an answer is cached; probes come often and the archive has other work."""

Check = Callable[[], None]


class Readiness:
    """The checks behind /readyz."""

    def __init__(self, settings: Settings, engine: sa.Engine, processing: Processing) -> None:
        self._settings = settings
        self._engine = engine
        self._archive = Archive(settings.archive)
        self._checks: dict[str, Check] = {
            # The weights do not change while the process runs: once good, always good.
            "weights": functools.cache(processing.verify),
            "archive": self._archive.probe,
            "spool": self._spool,
            "queue": self._queue,
            "worker": self._worker,
        }
        self._integrity = IntegrityWatch(engine)
        self._lock = threading.Lock()
        self._answer: dict[str, str] = {}
        self._asked = -FRESH

    def checks(self) -> dict[str, str]:
        """Name of each check to `ok` or to what is wrong, at most a few seconds old."""
        with self._lock:
            if time.monotonic() - self._asked >= FRESH:
                self._answer = {name: _outcome(check) for name, check in self._checks.items()}
                self._asked = time.monotonic()
            return dict(self._answer)

    def close(self) -> None:
        """Close idle connections."""
        self._archive.close()

    def _spool(self) -> None:
        spool, reserve = self._settings.spool, self._settings.spool_reserve_mib
        with tempfile.TemporaryFile(dir=spool) as file:
            file.write(b"\0")
        if (free := shutil.disk_usage(spool).free // MIB) < reserve:
            raise StorageError(f"{free} MB are free, {reserve} MB must stay in reserve; free some space")

    def _queue(self) -> None:
        with transaction(self._engine) as connection:
            require_schema(self._engine, connection)
            connection.execute(sa.select(jobs.c.key).order_by(jobs.c.created_at.desc()).limit(1)).all()
        self._integrity.require()

    def _worker(self) -> None:
        if not Registry(self._engine, self._settings.worker_lost_seconds).alive():
            raise NoWorker("no worker is alive; start one with `nullsplat worker`")


def _outcome(check: Check) -> str:
    try:
        check()
    except (NullSplatError, OSError) as error:
        return str(error)
    return "ok"

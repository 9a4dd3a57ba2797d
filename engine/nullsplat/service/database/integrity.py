"""Integrity checks of the database: in full on request, and regularly for /readyz."""

import threading
import time

import sqlalchemy as sa

from nullsplat.core.errors import ConfigurationError, DatabaseDamaged
from nullsplat.service.database.faults import RESTORE
from nullsplat.service.database.schema import refuse_later, version_of
from nullsplat.service.database.tables import jobs, transaction

SHOWN = 5
"""Faults that are listed; one lost page causes many."""
EVERY = 60.0
SHARE = 100.0
"""Seconds between two checks of the whole file, and how many times longer than a check: one of a large file takes long."""
TIMEOUT = 1.0
"""Seconds that a request waits for a check to end; otherwise the result comes with the next request."""


def check_integrity(engine: sa.Engine) -> int:
    """Read everything; the number of jobs.

    Raises:
        DatabaseDamaged: something is not what the database wrote.
        ConfigurationError: there is no database of NullSplat, or a later version made it.
        StorageError: the database does not answer.
    """
    with transaction(engine) as connection:
        require_schema(engine, connection)
        _refuse_faults(engine, _faults(connection, "PRAGMA integrity_check"))
        _refuse_faults(engine, _faults(connection, "PRAGMA foreign_key_check"))
        try:
            return sum(1 for _ in connection.execute(sa.select(jobs).execution_options(yield_per=500)))
        except ValueError as error:  # what should be JSON is not
            raise _damaged(engine, [f"a job's row cannot be read ({type(error).__name__})"]) from error


def require_schema(engine: sa.Engine, connection: sa.Connection) -> None:
    """Raise ConfigurationError unless the tables are there, of a version that is known."""
    version = version_of(connection)
    if version is None:
        raise ConfigurationError(
            f"the database {engine.url!r} has no tables of NullSplat; `nullsplat serve` makes them, and "
            "NULLSPLAT_DATABASE_URL or NULLSPLAT_SPOOL tells which database is meant"
        )
    refuse_later(engine, version)


class IntegrityWatch:
    """Has SQLite check its file in a background thread, on request if the last check is old.

    PostgreSQL checks its pages itself when they are read, where the server was made with checksums.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._faults: list[str] = []
        self._due = 0.0
        self._check: threading.Thread | None = None

    def require(self) -> None:
        """Raise DatabaseDamaged when the last check found something."""
        if self._engine.dialect.name == "sqlite" and self._check is None and time.monotonic() >= self._due:
            self._check = threading.Thread(target=self._run, daemon=True, name="nullsplat-integrity")
            self._check.start()
        if (check := self._check) is not None:
            check.join(TIMEOUT)
        _refuse_faults(self._engine, self._faults)

    def _run(self) -> None:
        begun = time.monotonic()
        try:
            with transaction(self._engine) as connection:
                self._faults = _faults(connection, "PRAGMA quick_check")
        except DatabaseDamaged as error:
            self._faults = [str(error.__cause__)]
        finally:
            self._due = time.monotonic() + max(EVERY, SHARE * (time.monotonic() - begun))
            self._check = None


def _faults(connection: sa.Connection, pragma: str) -> list[str]:
    if connection.dialect.name != "sqlite":
        return []
    found = connection.execute(sa.text(pragma))
    return [" ".join(str(value) for value in row) for row in found if tuple(row) != ("ok",)]


def _refuse_faults(engine: sa.Engine, faults: list[str]) -> None:
    if faults:
        raise _damaged(engine, faults)


def _damaged(engine: sa.Engine, faults: list[str]) -> DatabaseDamaged:
    shown = "; ".join(" ".join(fault.split())[:200] for fault in faults[:SHOWN])
    more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return DatabaseDamaged(f"the database {engine.url!r} is damaged: {shown}{more}; {RESTORE}")

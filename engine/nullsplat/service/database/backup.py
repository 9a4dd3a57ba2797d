"""A consistent copy of the database while API and workers go on."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import sqlalchemy as sa

from nullsplat.core.errors import ConfigurationError, DatabaseDamaged, StorageError
from nullsplat.core.files import replacing
from nullsplat.service.database.faults import RESTORE


def back_up(engine: sa.Engine, target: Path) -> None:
    """Write a backup, readable by this user only, as a whole or not at all.

    Args:
        engine: SQLite is copied by its own online backup; PostgreSQL by `pg_dump`, in its custom format.
        target: a file that does not exist yet.
    Raises:
        ConfigurationError: the file exists, or `pg_dump` is missing.
        StorageError: it cannot be written, or the server refuses.
        DatabaseDamaged: the copy is damaged, because the database is.
    """
    if target.exists():
        raise ConfigurationError(f"{target} exists already; name a new file")
    with replacing(target, durable=True) as part:
        part.touch(mode=0o600)
        if engine.dialect.name == "sqlite":
            _copy_sqlite(engine, part)
        else:
            _dump_postgresql(engine.url, part)


def _copy_sqlite(engine: sa.Engine, part: Path) -> None:
    try:
        with engine.connect() as connection, contextlib.closing(sqlite3.connect(part)) as copy:
            # All pages in one step: a snapshot, while readers and writers go on.
            connection.connection.driver_connection.backup(copy)  # type: ignore[union-attr]
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without others beside it
            faults = [row[0] for row in copy.execute("PRAGMA integrity_check(1)") if row[0] != "ok"]
    except sqlite3.DatabaseError as error:
        faults = [str(error)]
    if faults:
        raise DatabaseDamaged(f"the copy of {engine.url!r} is damaged: {faults[0]}; {RESTORE}")


def _dump_postgresql(url: sa.URL, part: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise ConfigurationError(
            "a PostgreSQL database is backed up by pg_dump, which is not installed; install it (Debian: apt-get install "
            "postgresql-client), or back the database up on its server"
        )
    # Without the password, which other users could read among the arguments.
    place = sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    command = [
        program,
        "--format=custom",
        "--no-password",
        f"--file={part}",
        f"--dbname={place.render_as_string()}",
    ]
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    done = subprocess.run(command, env={**os.environ, **secret}, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, and what is called was found on the path
    if done.returncode:
        raise StorageError(f"pg_dump refused: {' '.join(done.stderr.split())[:500]}")

"""The database that API and workers share: its connection and its tables beside those of DBOS."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError

from nullsplat.core.errors import ConfigurationError, StorageError
from nullsplat.service.database_faults import DRIVER, cause, explained

CONNECT_TIMEOUT = 10
"""Seconds."""

metadata = sa.MetaData()

jobs = sa.Table(
    "nullsplat_jobs",
    metadata,
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("stages", sa.JSON, nullable=False),
    sa.Column("progress", sa.Float, nullable=False, default=0.0),
    sa.Column("eta_seconds", sa.Float),
    # Once set, the derived series is on its way into the archive and the job cannot be cancelled any more.
    sa.Column("storing", sa.Boolean, nullable=False, default=False),
    sa.Column("failure", sa.JSON(none_as_null=True)),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
)

workers = sa.Table(
    "nullsplat_workers",
    metadata,
    sa.Column("executor_id", sa.String(100), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("boot_id", sa.String(64), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process_start", sa.String(32), nullable=False),
    sa.Column("seen", sa.Float, nullable=False),
)

# Beside the workers, not among their columns: a table can be added to a database that is there already.
worker_facts = sa.Table(
    "nullsplat_worker_facts",
    metadata,
    sa.Column("executor_id", sa.String(100), primary_key=True),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("noted", sa.Float, nullable=False),
)


# What people switched for all workers on all machines.
controls = sa.Table(
    "nullsplat_controls",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(255), nullable=False),
)

# Which worker has which GPU.
devices = sa.Table(
    "nullsplat_devices",
    metadata,
    sa.Column("device", sa.String(100), primary_key=True),
    sa.Column("executor_id", sa.String(100), nullable=False),
)


def open_database(url: str) -> sa.Engine:
    """Connect to the database, creating what is missing in it. Safe when several processes do so at once.

    Raises:
        ConfigurationError: the URL is not one of a database that can be used.
        StorageError: the database cannot be reached or written.
    """
    engine = _engine(_checked(url))
    try:
        with engine.connect():  # before DBOS tries, which does not say what is wrong
            pass
        DBOS.migrate(url)
        with engine.begin() as connection:
            for table in metadata.sorted_tables:
                connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
    except SQLAlchemyError as error:
        engine.dispose()
        raise explained(engine, error) from error
    return engine


@contextlib.contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction whose failures are NullSplat's own.

    Raises:
        StorageError: the database cannot be reached or written.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        raise StorageError(f"the database {engine.url!r} does not answer: {cause(error)}") from error


def now(connection: sa.Connection) -> float:
    """Seconds since 1970 on the database's clock: those of several machines are never quite the same."""
    if connection.dialect.name != "postgresql":
        return time.time()  # SQLite is in this very machine
    return float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, pool_pre_ping=True)
        sa.event.listen(engine, "connect", _configure_sqlite)
        return engine
    try:
        return sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_TIMEOUT})
    except ImportError:
        raise ConfigurationError(DRIVER) from None


def _checked(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ConfigurationError(
            "NULLSPLAT_DATABASE_URL must be a database URL such as postgresql://..."
        ) from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ConfigurationError(
            f"NULLSPLAT_DATABASE_URL must name a PostgreSQL database or an SQLite file, got {parsed.drivername}"
        )
    return parsed


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA busy_timeout=30000")
    # Readers (the API) must not wait for writers (the workers).
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.isolation_level = "IMMEDIATE"  # DBOS relies on writers taking turns from their first statement

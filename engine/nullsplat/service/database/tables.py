"""The database that API and workers share: its connection and its tables, beside those of DBOS."""

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from nullsplat.core.errors import ConfigurationError, StorageError
from nullsplat.service.database.faults import DRIVER, cause, damage

CONNECT_TIMEOUT = 10
"""Seconds."""

metadata = sa.MetaData()

jobs = sa.Table(
    "nullsplat_jobs",
    metadata,
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
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
    # Frequent queries must cost the same after years: the newest, the oldest of a state, the last that ended.
    sa.Index("ix_nullsplat_jobs_created", "created_at", "key"),
    sa.Index("ix_nullsplat_jobs_state_created", "state", "created_at", "key"),
    sa.Index("ix_nullsplat_jobs_state_updated", "state", "updated_at"),
)

# What a client called the workitem of its job; the others' UIDs follow from their jobs' keys. A table of its own, see `worker_facts`.
workitem_names = sa.Table(
    "nullsplat_workitem_names",
    metadata,
    sa.Column("uid", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(32), nullable=False),
    sa.Index("ix_nullsplat_workitem_names_key", "key", unique=True),
)

# Which AE hears of which workitems. `target` is a job's key or a well-known UID, `until` the end of a suspended one.
# A row of a job that is not `subscribed` excepts it from a subscription to all.
subscriptions = sa.Table(
    "nullsplat_subscriptions",
    metadata,
    sa.Column("subscriber", sa.String(16), primary_key=True),
    sa.Column("target", sa.String(64), primary_key=True),
    sa.Column("filter", sa.String(1024), primary_key=True),
    sa.Column("deletion_lock", sa.Boolean, nullable=False),
    sa.Column("subscribed", sa.Boolean, nullable=False),
    sa.Column("until", sa.DateTime(timezone=True)),
    sa.Index("ix_nullsplat_subscriptions_target", "target"),
)

# What happened to jobs, see `queue/events.py`; only the latest.
events = sa.Table(
    "nullsplat_events",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("key", sa.String(32), nullable=False),
    sa.Column("what", sa.String(16), nullable=False),
    sa.Column("subscriber", sa.String(16)),
)

# The number of the last turn at a job, see `JobStore.take`. A table of its own, see `worker_facts`.
turns = sa.Table(
    "nullsplat_turns",
    metadata,
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)

# What `job_counts` counts of jobs that are over.
tallies = sa.Table(
    "nullsplat_tallies",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("label", sa.String(64), primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
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


# One row: which schema the tables have.
schema_version = sa.Table(
    "nullsplat_schema", metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False)
)

# Switches for all workers on all machines, and the database's identity.
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


def connect(url: str) -> sa.Engine:
    """Connections to a database of which nothing is known yet; nothing is read or written.

    Raises:
        ConfigurationError: the URL is not one of a database that can be used.
    """
    return _engine(_checked(url))


@contextlib.contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction whose errors are NullSplat's.

    Raises:
        StorageError: the database cannot be reached or written.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.DatabaseError as error:
        if (damaged := damage(engine, error)) is not None:
            raise damaged from error
        if not isinstance(error, sa.exc.OperationalError):
            raise
        raise StorageError(f"the database {engine.url!r} does not answer: {cause(error)}") from error
    except sa.exc.InterfaceError as error:
        raise StorageError(f"the database {engine.url!r} does not answer: {cause(error)}") from error


def now(connection: sa.Connection) -> float:
    """Seconds since 1970 on the database's clock: those of several machines never agree exactly."""
    if connection.dialect.name != "postgresql":
        return time.time()  # SQLite is in this very machine
    return float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())


def utc(moment: datetime) -> datetime:
    """A timestamp of the database, with its time zone."""
    # SQLite forgets the time zone; what was stored is UTC.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


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
    connection.execute("PRAGMA secure_delete=ON")  # what retention deletes is overwritten in the file
    connection.isolation_level = "IMMEDIATE"  # DBOS relies on writers taking turns from their first statement

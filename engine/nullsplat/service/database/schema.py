"""The version of the tables' schema: created, migrated, or refused if a later version of NullSplat made it.

A change of the tables is a step in `_STEPS` and a new `VERSION`; tests/service/schema holds dumps of the released ones.
The tables of DBOS have a version and steps of their own.
"""

import logging
from collections import Counter
from collections.abc import Callable

import sqlalchemy as sa
from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError

from nullsplat.core.errors import ConfigurationError
from nullsplat.service.database.faults import explained
from nullsplat.service.database.job_counts import Tally, add, of_job
from nullsplat.service.database.tables import connect, jobs, metadata, schema_version

VERSION = 2
UNNUMBERED = 1
"""The version of tables without a version."""
OVER = ("succeeded", "failed", "cancelled")
_LOCK = 0x6E756C6C
"""Advisory lock of PostgreSQL: one process at a time migrates the schema."""

logger = logging.getLogger(__name__)


def open_database(url: str) -> sa.Engine:
    """Connect to the database and bring its tables up to date. Safe when several processes do so at once.

    Raises:
        ConfigurationError: the URL is not one of a database that can be used, or a later version of NullSplat made it.
        StorageError: the database cannot be reached or written.
    """
    engine = connect(url)
    try:
        with engine.begin() as connection:  # before DBOS tries, whose errors do not say what is wrong
            refuse_later(engine, version_of(connection))
        DBOS.migrate(url)
        with engine.begin() as connection:
            _take_turns(connection)
            _bring_up_to_date(engine, connection)
    except SQLAlchemyError as error:
        engine.dispose()
        raise explained(engine, error) from error
    except ConfigurationError:
        engine.dispose()
        raise
    return engine


def version_of(connection: sa.Connection) -> int | None:
    """Which schema the tables have; None where there are none."""
    there = sa.inspect(connection).get_table_names()
    if schema_version.name in there:
        version: int | None = connection.execute(sa.select(schema_version.c.version)).scalar_one_or_none()
        return version
    return UNNUMBERED if jobs.name in there else None


def refuse_later(engine: sa.Engine, version: int | None) -> None:
    """Raise ConfigurationError for a schema that this version of NullSplat does not know."""
    if version is not None and version > VERSION:
        raise ConfigurationError(
            f"the database {engine.url!r} has schema {version}, made by a later version of NullSplat; this one knows "
            f"schemas up to {VERSION}: install the later version again, or restore a backup made before it"
        )


def _bring_up_to_date(engine: sa.Engine, connection: sa.Connection) -> None:
    version = version_of(connection)
    refuse_later(engine, version)
    metadata.create_all(connection)
    if version is None:
        connection.execute(sa.insert(schema_version).values(version=VERSION))
        return
    for number in range(version + 1, VERSION + 1):
        logger.warning("migrating the database from schema %d to %d", number - 1, number)
        _STEPS[number](connection)
    if version < VERSION:
        connection.execute(sa.delete(schema_version))
        connection.execute(sa.insert(schema_version).values(version=VERSION))


def _take_turns(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _count_what_is_over(connection: sa.Connection) -> None:
    """To schema 2: indices for frequent queries, and counts instead of reading all ended jobs."""
    for index in jobs.indexes:
        index.create(connection, checkfirst=True)
    connection.execute(sa.text("DROP INDEX IF EXISTS ix_nullsplat_jobs_state"))
    columns = (jobs.c.state, jobs.c.stages, jobs.c.failure, jobs.c.created_at, jobs.c.updated_at)
    over = sa.select(*columns).where(jobs.c.state.in_(OVER)).execution_options(yield_per=500)
    counted: Counter[Tally] = Counter()
    for row in connection.execute(over):
        counted.update(of_job(row))
    add(connection, counted)


_STEPS: dict[int, Callable[[sa.Connection], None]] = {2: _count_what_is_over}

"""What `nullsplat db` does."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from nullsplat.service.database.backup import back_up
from nullsplat.service.database.integrity import check_integrity, require_schema
from nullsplat.service.database.schema import open_database
from nullsplat.service.database.tables import connect, transaction
from nullsplat.service.queue.retention import LEAST_DAYS, Retention
from nullsplat.service.settings import Settings


def back_up_to(target: Path) -> str:
    """Back the database up; what to say of it."""
    with _database() as engine:
        back_up(engine, target)
    return f"{target} holds the database, {target.stat().st_size / 1e6:.1f} MB"


def check_database() -> str:
    """Check the whole database; the message when it is intact."""
    with _database() as engine:
        return f"{engine.url!r} is intact: {check_integrity(engine)} jobs"


def purge_database(days: float | None) -> str:
    """Forget old jobs; what to say of it."""
    settings = Settings()
    kept = max(settings.retention_days, LEAST_DAYS) if days is None else days
    engine = open_database(settings.database)
    retention = Retention(engine)
    try:
        forgotten = retention.purge(datetime.now(UTC) - timedelta(days=kept))
    finally:
        retention.close()
        engine.dispose()
    return f"{forgotten} jobs that were over more than {kept:g} days ago are forgotten"


@contextlib.contextmanager
def _database() -> Iterator[sa.Engine]:
    """The database as it is; nothing is made or brought up to date."""
    settings = Settings()
    engine = connect(settings.database)
    try:
        with transaction(engine) as connection:
            require_schema(engine, connection)
        yield engine
    finally:
        engine.dispose()

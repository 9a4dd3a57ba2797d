"""Pausing the queue: no worker takes another job until it is resumed, even across restarts."""

from datetime import UTC, datetime

import sqlalchemy as sa

from nullsplat.service.database.dbos_tables import queues
from nullsplat.service.database.tables import controls, transaction
from nullsplat.service.queue.priorities import QUEUE

PAUSED_SINCE = "paused-since"
POLL = 0.5
"""Seconds between two polls of the queue by a worker, and so the delay of a pause."""


class Pausing:
    """The switch. The time of the pause is stored beside the row that workers obey; both change together.

    Every method raises:
        StorageError: the database does not answer.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._queues = queues(engine.dialect)

    def since(self) -> datetime | None:
        """Since when the queue is paused; None while it is not."""
        with transaction(self._engine) as connection:
            return _since(connection)

    def pause(self) -> bool:
        """Let no worker take another job; False if the queue was paused already. Running jobs go on to their end."""
        with transaction(self._engine) as connection:
            if _since(connection) is not None:
                return False
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            connection.execute(sa.insert(controls).values(name=PAUSED_SINCE, value=now))
            self._obey(connection)
        return True

    def resume(self) -> bool:
        """Resume the queue; False if it was not paused."""
        with transaction(self._engine) as connection:
            deleted = connection.execute(sa.delete(controls).where(controls.c.name == PAUSED_SINCE))
            self._obey(connection)
        return deleted.rowcount > 0

    def obey(self) -> None:
        """Bring the queue's row in line with the switch: at a worker's start, which may have re-created that row."""
        with transaction(self._engine) as connection:
            self._obey(connection)

    def _obey(self, connection: sa.Connection) -> None:
        allowed = 0 if _since(connection) is not None else 1
        connection.execute(
            sa.update(self._queues)
            .where(self._queues.c.name == QUEUE)
            .values(worker_concurrency=allowed, polling_interval_sec=POLL)
        )


def _since(connection: sa.Connection) -> datetime | None:
    query = sa.select(controls.c.value).where(controls.c.name == PAUSED_SINCE)
    value = connection.execute(query).scalar_one_or_none()
    return None if value is None else datetime.fromisoformat(str(value))

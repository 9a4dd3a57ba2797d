"""What happens to jobs, one row each, written in the transaction in which it happens: how an API process learns of workers elsewhere.

A state's name says that a job came into it. Only the latest rows are kept: whoever reads them reads all the time, or begins anew.
"""

import time
from dataclasses import dataclass

import sqlalchemy as sa

from nullsplat.core.errors import StorageError
from nullsplat.service.database.tables import events, transaction

PROGRESS = "progress"
CANCEL_REQUESTED = "cancel-requested"
SUBSCRIBED = "subscribed"
"""Not of a job as such: a subscriber is to be told its present state, or with the key `ALL` that of every job."""
ALL = ""
EVERYTHING = "1.2.840.10008.5.1.4.34.5"
"""UPS Global Subscription SOP Instance: the target of a subscription to all jobs."""

KEPT = 10_000
"""Rows; those of eight minutes while ten workers report progress."""
PRUNE_EVERY = 256
LATE = 10.0
"""Seconds until which a row may become visible after one with a higher number: transactions do not end in the order of their inserts."""
LONGEST_PAUSE = 60.0
"""Seconds between two readings, after which rows may be gone that were never read."""


@dataclass(frozen=True)
class JobEvent:
    """One row.

    Attributes:
        number: increases; in the order of events for each job.
        key: of the job.
        what: a job's state, or one of the constants above.
        subscriber: whom alone it concerns; None for all.
    """

    number: int
    key: str
    what: str
    subscriber: str | None


def note(connection: sa.Connection, key: str, what: str, subscriber: str | None = None) -> None:
    """Add a row within the caller's transaction, which has changed the job's row before: so those of one job are in order."""
    row = sa.insert(events).values(key=key, what=what, subscriber=subscriber).returning(events.c.number)
    number = connection.execute(row).scalar_one()
    if number % PRUNE_EVERY == 0:
        connection.execute(sa.delete(events).where(events.c.number <= number - KEPT))


class EventReader:
    """Reads what is new since it was made, and nothing twice.

    Every method raises:
        StorageError: the database does not answer, or did not for so long that events may be lost.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        with transaction(engine) as connection:
            newest = connection.execute(sa.select(sa.func.max(events.c.number))).scalar_one_or_none() or 0
        self._floor = max(0, newest - PRUNE_EVERY)
        self._seen: dict[int, float] = {}
        self._read_at = time.monotonic()
        self.new()

    def new(self) -> list[JobEvent]:
        """The events since the last call, in order."""
        rows = sa.select(events).where(events.c.number > self._floor).order_by(events.c.number)
        with transaction(self._engine) as connection:
            found = [JobEvent(**row._mapping) for row in connection.execute(rows)]
        fresh = [event for event in found if event.number not in self._seen]
        before, now = self._read_at, time.monotonic()
        if now - before > LONGEST_PAUSE:
            raise StorageError(f"the database was not read for {now - before:.0f} s, and events may be lost")
        self._read_at = now
        self._seen.update((event.number, now) for event in fresh)
        self._floor = max([self._floor, *(number for number, at in self._seen.items() if now - at > LATE)])
        self._seen = {number: at for number, at in self._seen.items() if number > self._floor}
        return fresh

"""Deletes what the database holds of jobs that ended long ago: their rows with all UIDs, and their workflows."""

from collections import Counter
from datetime import datetime, timedelta

import sqlalchemy as sa
from dbos import DBOSClient

from nullsplat.service.database.job_counts import STATE, add
from nullsplat.service.database.schema import OVER
from nullsplat.service.database.tables import jobs, subscriptions, transaction, turns, workitem_names
from nullsplat.service.queue.events import EVERYTHING
from nullsplat.service.queue.queue import APPLICATION

BATCH = 50
"""Jobs in one transaction: the others' statements must not wait for long."""
LEAST_DAYS = 7.0
"""Rows are kept for at least so many days: the node asks how a job ended, and would resubmit one that is unknown."""
LONGEST_LOCK = timedelta(days=365)
"""A subscriber's deletion lock keeps a job's row for so much longer at most, since a subscriber may be gone for good."""


class Retention:
    """Every method raises:
    StorageError: the database does not answer.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._client = DBOSClient(
            system_database_engine=engine, application_name=APPLICATION, retry_connection_errors=False
        )

    def purge(self, before: datetime) -> int:
        """Delete the jobs that ended before a time; how many they were. Their counts stay."""
        forgotten = 0
        while keys := self._over(before):
            # The rows go last: a purge that is killed in between is completed by the next one.
            self._client.delete_workflows(keys)
            forgotten += self._delete(keys, before)
        return forgotten

    def close(self) -> None:
        """Close the queue; the database connection stays the caller's."""
        self._client.destroy()

    def _over(self, before: datetime) -> list[str]:
        keys = sa.select(jobs.c.key).where(*_long_over(before)).limit(BATCH)
        with transaction(self._engine) as connection:
            return [str(key) for key in connection.execute(keys).scalars()]

    def _delete(self, keys: list[str], before: datetime) -> int:
        statement = (
            sa.delete(jobs)
            .where(jobs.c.key.in_(keys), *_long_over(before))
            .returning(jobs.c.key, jobs.c.state)
        )
        with transaction(self._engine) as connection:
            deleted = connection.execute(statement).all()
            for table in (workitem_names, turns):
                connection.execute(sa.delete(table).where(table.c.key.in_([row.key for row in deleted])))
            gone_too = subscriptions.c.target.in_([row.key for row in deleted])
            connection.execute(sa.delete(subscriptions).where(gone_too))
            gone = Counter(row.state for row in deleted)
            add(connection, {(STATE, state): -count for state, count in gone.items()})
        return gone.total()


def _long_over(before: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    unlocked = sa.or_(~_locked(), jobs.c.updated_at < before - LONGEST_LOCK)
    return jobs.c.state.in_(OVER), jobs.c.updated_at < before, unlocked


def _locked() -> sa.ColumnElement[bool]:
    """Whether a subscriber has locked a job, by its own subscription to it or else by one to all; each found by its target."""
    one, all_, other = (subscriptions.alias() for _ in range(3))
    own = sa.exists().where(one.c.target == jobs.c.key, one.c.deletion_lock).correlate(jobs)
    excepted = sa.exists().where(other.c.subscriber == all_.c.subscriber, other.c.target == jobs.c.key)
    covered = sa.or_(all_.c.until.is_(None), all_.c.until > jobs.c.created_at)
    with_all = (all_.c.target == EVERYTHING, all_.c.deletion_lock, covered, ~excepted.correlate(all_, jobs))
    return sa.or_(own, sa.exists().where(*with_all).correlate(jobs))

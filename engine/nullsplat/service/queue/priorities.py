"""The priority queue: the order of the queued jobs, how a person changes it, and how ageing does.

Urgent work goes first, but low priorities do not starve: a job that has waited for long moves up one class at a time, and at
most one such job waits in each class. So a backlog that has aged as a whole cannot overtake all urgent work, and yet each
of its jobs gets its turn: the oldest first, and the next one when that was taken.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nullsplat.service.database.dbos_tables import queued, taken, workflow_status
from nullsplat.service.database.tables import jobs, transaction, utc

QUEUE = "jobs"

PRIORITIES = {"stat": 1, "normal": 10, "night": 20}
"""Lower goes first. Always given, because DBOS takes work without a priority before all other."""
ENDED = ("succeeded", "failed")
_CLASSES = tuple(PRIORITIES)
_BY_NUMBER = {number: name for name, number in PRIORITIES.items()}


@dataclass(frozen=True)
class Place:
    """Where a queued job stands.

    Attributes:
        position: 1 for the next to be taken.
        priority: the class that it waits in: its own, or a higher one to which ageing moved it.
    """

    position: int
    priority: str


@dataclass(frozen=True)
class Waiting:
    """A queued job.

    Attributes:
        own: the class that it was submitted with.
        now: the class that it waits in.
        seconds: how long it has waited.
    """

    key: str
    own: str
    now: str
    seconds: float


class PriorityQueue:
    """The queued jobs in the database.

    Every method raises:
        StorageError: the database does not answer.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._status = workflow_status(engine.dialect)

    def place(self, key: str) -> Place | None:
        """The place of a job; None if it is not queued."""
        row = self._status.c
        mine = sa.select(row.priority, row.created_at).where(row.workflow_uuid == key, *self._queued())
        with transaction(self._engine) as connection:
            found = connection.execute(mine).one_or_none()
            if found is None:
                return None
            return Place(1 + self._ahead(connection, key, *found), _class_of(found.priority))

    def places(self) -> dict[str, Place]:
        """The place of each queued job, the next one first."""
        row = self._status.c
        query = (
            sa.select(row.workflow_uuid, row.priority)
            .join_from(self._status, jobs, jobs.c.key == row.workflow_uuid)
            .where(*self._queued())
            .order_by(row.priority, row.created_at, jobs.c.created_at)
        )
        with transaction(self._engine) as connection:
            found = connection.execute(query).all()
        return {key: Place(number, _class_of(priority)) for number, (key, priority) in enumerate(found, 1)}

    def _ahead(self, connection: sa.Connection, key: str, priority: int, created_at: int) -> int:
        """How many jobs are ahead of a job: counted in an index, without reading rows.

        The queue's timestamps are whole seconds in SQLite; within one second those of the jobs decide.
        """
        row = self._status.c
        mine = sa.literal(priority), sa.literal(created_at)
        first = sa.select(sa.func.count()).select_from(self._status)
        first = first.where(*self._queued(), sa.tuple_(row.priority, row.created_at) < sa.tuple_(*mine))
        since = sa.select(jobs.c.created_at).where(jobs.c.key == key).scalar_subquery()
        beside = sa.select(sa.func.count()).join_from(self._status, jobs, jobs.c.key == row.workflow_uuid)
        beside = beside.where(
            *self._queued(), row.priority == priority, row.created_at == created_at, jobs.c.created_at < since
        )
        return sum(int(connection.execute(count).scalar_one()) for count in (first, beside))

    def move(self, key: str, priority: str) -> bool:
        """Move a queued job to another class; False if it is not queued."""
        with transaction(self._engine) as connection:
            request = self._request(connection, key)
            if request is None or not self._set(connection, key, priority):
                return False
            statement = sa.update(jobs).where(jobs.c.key == key)
            connection.execute(statement.values(request={**request, "priority": priority}))
        return True

    def age(self, seconds: float) -> list[str]:
        """Move up jobs that have waited for `seconds` or a multiple of it, one for each class; 0 for none. Returns their keys."""
        if not seconds:
            return []
        with transaction(self._engine) as connection:
            promoted = promotions(self._waiting(connection), seconds, self._served(connection))
            return [key for key, priority in promoted.items() if self._set(connection, key, priority)]

    def _waiting(self, connection: sa.Connection) -> list[Waiting]:
        row, now = self._status.c, time.time()
        query = (
            sa.select(row.workflow_uuid, row.priority, row.created_at, jobs.c.request["priority"].as_string())
            .join_from(self._status, jobs, jobs.c.key == row.workflow_uuid)
            .where(*self._queued(), jobs.c.state == "queued")
            .order_by(row.created_at)
        )
        return [
            Waiting(key, own or "normal", _class_of(priority), now - created / 1000)
            for key, priority, created, own in connection.execute(query)
        ]

    def _served(self, connection: sa.Connection) -> set[str]:
        """The classes in which an aged job is running, or was the last to end."""
        row = self._status.c
        query = sa.select(row.priority, jobs.c.request["priority"].as_string(), jobs.c.updated_at)
        query = query.join_from(self._status, jobs, jobs.c.key == row.workflow_uuid)
        working = query.where(*taken(self._status), row.queue_name == sa.literal_column(f"'{QUEUE}'"))
        found = list(connection.execute(working))
        # Recovery may run after a job's end and before the next one is taken.
        last = [
            query.where(jobs.c.state == state).order_by(jobs.c.updated_at.desc()).limit(1) for state in ENDED
        ]
        ended = [one for statement in last for one in connection.execute(statement)]
        found += sorted(ended, key=lambda one: utc(one.updated_at))[-1:]
        classes = [(_class_of(number), own or "normal") for number, own, _ in found]
        return {now for now, own in classes if PRIORITIES[own] > PRIORITIES[now]}

    def _request(self, connection: sa.Connection, key: str) -> dict[str, Any] | None:
        query = sa.select(jobs.c.request).where(jobs.c.key == key, jobs.c.state == "queued")
        request: dict[str, Any] | None = connection.execute(query.with_for_update()).scalar_one_or_none()
        return request

    def _set(self, connection: sa.Connection, key: str, priority: str) -> bool:
        statement = sa.update(self._status).where(self._status.c.workflow_uuid == key, *self._queued())
        return connection.execute(statement.values(priority=PRIORITIES[priority])).rowcount == 1

    def _queued(self) -> tuple[sa.ColumnElement[bool], ...]:
        return *queued(self._status), self._status.c.queue_name == sa.literal_column(f"'{QUEUE}'")


def promotions(waiting: Sequence[Waiting], seconds: float, served: Collection[str] = ()) -> dict[str, str]:
    """Which jobs move up, and to which class: at most one to each, and none to a class where one that moved up waits already.

    Nor to a class in which such a job is running while one of its own waits: older than all of these, the next would go
    first again, and a backlog would keep them waiting until it was done.

    Args:
        waiting: the queued jobs, those that have waited for longest first.
        seconds: after which a job moves up one class; after twice as long it moves up two.
        served: the classes in which an aged job is running, or was the last to end.
    """
    moved: dict[str, str] = {}
    for rank, target in enumerate(_CLASSES[:-1]):
        if any(job.now == target and _CLASSES.index(job.own) > rank for job in waiting):
            continue
        if target in served and any(job.now == target for job in waiting):
            continue
        for job in waiting:
            steps = _CLASSES.index(job.own) - rank
            if job.now == _CLASSES[rank + 1] and steps > 0 and job.seconds >= steps * seconds:
                moved[job.key] = target
                break
    return moved


def _class_of(number: int) -> str:
    return _BY_NUMBER.get(number, "normal")

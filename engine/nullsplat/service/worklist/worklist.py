"""The worklist: the engine's jobs as workitems, found, ordered, moved and cancelled through its queue."""

import contextlib
import itertools
from collections.abc import Collection, Generator, Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from pydicom.dataset import Dataset

from nullsplat.core.errors import NotNow
from nullsplat.service.contract.messages import job_key
from nullsplat.service.database.tables import jobs, transaction, workitem_names
from nullsplat.service.queue.events import CANCEL_REQUESTED, note
from nullsplat.service.queue.jobs import OPEN, Job
from nullsplat.service.queue.queue import JobQueue
from nullsplat.service.worklist.content import workitem
from nullsplat.service.worklist.matching import Query
from nullsplat.service.worklist.naming import key_of, uid_of
from nullsplat.service.worklist.order import Order
from nullsplat.service.worklist.prefilter import conditions

UNSUCCESSFUL = ("failed", "cancelled")
PAGE = 100


class Worklist:
    """Every method raises:
    StorageError: the database does not answer.
    """

    def __init__(self, queue: JobQueue) -> None:
        """Show, and order through, `queue`."""
        self.queue = queue
        self._engine = queue.store.engine

    def job(self, uid: str) -> Job | None:
        """The job of a workitem."""
        named, key = workitem_names.c, key_of(uid)
        with transaction(self._engine) as connection:
            given = connection.execute(sa.select(named.key).where(named.uid == uid)).scalar_one_or_none()
            if given is None and key is not None:
                other = connection.execute(sa.select(named.uid).where(named.key == key)).scalar_one_or_none()
                given = key if other is None else None
        return None if given is None else self.queue.store.get(given)

    def uid(self, key: str) -> str:
        """The UID of a job's workitem."""
        query = sa.select(workitem_names.c.uid).where(workitem_names.c.key == key)
        with transaction(self._engine) as connection:
            return connection.execute(query).scalar_one_or_none() or uid_of(key)

    def jobs(self, keys: Collection[str]) -> dict[str, tuple[Job, str]]:
        """Some jobs by their keys, each with the UID of its workitem; those that there are."""
        with transaction(self._engine) as connection:
            return {
                job.key: (job, uid)
                for job, uid in _named(connection.execute(_JOBS.where(jobs.c.key.in_(keys))))
            }

    def pages(self) -> Iterator[list[tuple[Job, str]]]:
        """All jobs, the oldest first, as `jobs` gives them; each page as it is when it is asked for."""
        place = sa.tuple_(jobs.c.created_at, jobs.c.key)
        page = _JOBS.order_by(jobs.c.created_at, jobs.c.key).limit(PAGE)
        query = page
        while True:
            with transaction(self._engine) as connection:
                found = list(_named(connection.execute(query)))
            if not found:
                return
            yield found
            last = found[-1][0]
            query = page.where(place > sa.tuple_(sa.literal(last.created_at), sa.literal(last.key)))

    def request_cancellation(self, key: str) -> tuple[Job | None, bool]:
        """Cancel as `JobQueue.cancel` does, and let the subscribers of a job that is not over know that it was asked for."""
        job = self.queue.store.get(key)
        if job is not None and job.state in OPEN:
            with transaction(self._engine) as connection:
                note(connection, key, CANCEL_REQUESTED)
        return self.queue.cancel(key)

    def workitem(self, uid: str) -> Dataset | None:
        """A workitem with all that is known of it."""
        job = self.job(uid)
        return None if job is None else workitem(job, uid, self.queue.priorities.place(job.key))

    def search(self, query: Query) -> tuple[list[Dataset], bool]:
        """The workitems that are meant, those of the newest jobs first, and whether there are more of them."""
        end = query.offset + query.limit
        with contextlib.closing(self._candidates(query)) as candidates:
            shown = (workitem(job, uid, performed=query.performed) for job, uid in candidates)
            meant = list(itertools.islice(filter(query.accepts, shown), query.offset, end + 1))
        return meant[: query.limit], len(meant) > query.limit

    def create(self, order: Order) -> tuple[Job, str, bool]:
        """The job that an order asks for, its workitem's UID, and whether it is new: the same work is one workitem.

        Where the order leaves the number of the run to us, work that failed or was cancelled is done again.

        Raises:
            NotNow: another workitem has the UID that was asked for.
        """
        if order.uid is not None and self.job(order.uid) is not None:
            raise NotNow("workitem-exists", "there is a workitem with this UID already")
        request = self._next(order.request) if order.any_attempt else order.request
        key = job_key(request)
        job, created = self.queue.submit(key, request, None if order.uid == uid_of(key) else order.uid)
        return job, self.uid(key), created

    def _next(self, request: dict[str, Any]) -> dict[str, Any]:
        while (job := self.queue.store.get(job_key(request))) is not None and job.state in UNSUCCESSFUL:
            request = {**request, "attempt": request["attempt"] + 1}
        return request

    def _candidates(self, query: Query) -> Generator[tuple[Job, str]]:
        """Jobs of which some may be meant, with their workitems' UIDs; what the database can tell apart is left to it."""
        rows = (
            _JOBS.where(*conditions(query))
            .order_by(jobs.c.created_at.desc(), jobs.c.key.desc())
            .execution_options(yield_per=PAGE)
        )
        with transaction(self._engine) as connection, connection.execute(rows) as found:
            yield from _named(found)


_JOBS = sa.select(jobs, workitem_names.c.uid).outerjoin(workitem_names, workitem_names.c.key == jobs.c.key)


def _named(rows: Iterable[sa.Row[Any]]) -> Iterator[tuple[Job, str]]:
    for row in rows:
        values = dict(row._mapping)
        uid = values.pop("uid")
        yield Job(**values), uid or uid_of(values["key"])

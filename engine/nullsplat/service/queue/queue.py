"""The API's side of the durable queue: submit jobs, cancel, move and release them; running them is the workers' part."""

from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient, EnqueueOptions, WorkflowSerializationFormat

from nullsplat.core.errors import NotNow
from nullsplat.service.database.dbos_tables import forget_workflow
from nullsplat.service.database.tables import transaction, workitem_names
from nullsplat.service.queue.jobs import Job, JobStore, insert_job, reset_job
from nullsplat.service.queue.pausing import Pausing
from nullsplat.service.queue.priorities import PRIORITIES, QUEUE, PriorityQueue

APPLICATION = "nullsplat"
WORKFLOW = "super_resolve"

WORKFLOW_VERSION = "1"
"""Increase it when the steps of the workflow change: a worker only resumes workflows of its own version."""


class JobQueue:
    """Accepts jobs, and carries out what people ask for."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._client = DBOSClient(
            system_database_engine=engine, application_name=APPLICATION, retry_connection_errors=False
        )
        self.store = JobStore(engine)
        self.priorities = PriorityQueue(engine)
        self.pausing = Pausing(engine)

    def submit(self, key: str, request: dict[str, Any], workitem: str | None = None) -> tuple[Job, bool]:
        """The job called `key`, and whether it is new.

        The row and its workflow appear together or not at all; the same work submitted twice, even at the
        same moment, is one job.

        Args:
            key: of the contract.
            request: a job_request.
            workitem: UID that a new job's workitem is given, instead of the one that follows from the key.

        Raises:
            NotNow: another workitem has this UID.
            StorageError: the database does not answer.
        """
        created = True
        try:
            with transaction(self._engine) as connection:
                insert_job(connection, key, request)
                if workitem is not None:
                    connection.execute(sa.insert(workitem_names).values(uid=workitem, key=key))
                self._client.enqueue_in_transaction(connection, enqueue_options(key, request), key)
        except sa.exc.IntegrityError:
            created = False
        job = self.store.get(key)
        if job is None and workitem is not None:
            raise NotNow(
                "workitem-exists", "another workitem has this UID; give the new one a UID of its own"
            )
        if job is None:
            raise LookupError(f"job {key} was neither there nor created")
        return job, created

    def cancel(self, key: str) -> tuple[Job | None, bool]:
        """Cancel the job if it is not too late: its state now (None if there is none), and whether this call cancelled it.

        A running job is not interrupted here: its worker notices at its next report of progress.

        Raises:
            StorageError: the database does not answer.
        """
        before = self.store.get(key)
        done = before is not None and self.store.cancel(key)
        if done and before is not None and before.state == "queued":
            self._client.cancel_workflow(key)
        return self.store.get(key), done

    def move(self, key: str, priority: str) -> Job | None:
        """Give a queued job another priority; the job as it is then, None if there is none.

        Raises:
            NotNow: it is no longer queued.
            StorageError: the database does not answer.
        """
        moved = self.priorities.move(key, priority)
        job = self.store.get(key)
        if job is not None and not moved:
            raise NotNow(
                "not-queued", f"only a queued job can be given another priority; this one is {_words(job)}"
            )
        return job

    def release(self, key: str) -> Job | None:
        """Queue a failed job once more, from its beginning; the job as it is then, None if there is none.

        Raises:
            NotNow: it has not failed, part of its result may be in the archive, or a worker is still finishing it.
            StorageError: the database does not answer.
        """
        job = self.store.get(key)
        if job is None:
            return None
        _refuse_release(job)
        with transaction(self._engine) as connection:
            if not reset_job(connection, key):
                raise NotNow("not-failed", "this job has just been released by another request")
            if not forget_workflow(connection, key):
                raise NotNow("still-ending", STILL_ENDING)
            self._client.enqueue_in_transaction(connection, enqueue_options(key, job.request), key)
        return self.store.get(key)

    def close(self) -> None:
        """Close the queue; the database connection stays the caller's."""
        self._client.destroy()


STILL_ENDING = "the job has failed, but its worker has not cleaned up yet; try again in a few seconds, and check that a worker is alive"


def _refuse_release(job: Job) -> None:
    if job.state != "failed":
        raise NotNow("not-failed", f"only a failed job can be released; this one is {_words(job)}")
    if job.storing:
        raise NotNow(
            "storing-began",
            "part of the result may be in the archive, which keeps the old pixels of an instance; ask for the run again, "
            "as a new attempt, which makes a new series",
        )


def _words(job: Job) -> str:
    return "about to be done" if job.state == "queued" else job.state


def enqueue_options(key: str, request: dict[str, Any]) -> EnqueueOptions:
    """How DBOS is to run a job: under the job's own key, once, by a worker of this version."""
    return {
        "workflow_name": WORKFLOW,
        "queue_name": QUEUE,
        "workflow_id": key,
        "app_version": WORKFLOW_VERSION,
        "application_name": APPLICATION,
        "priority": PRIORITIES[request.get("priority", "normal")],
        "serialization_type": WorkflowSerializationFormat.PORTABLE,
    }

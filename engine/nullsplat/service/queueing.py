"""Putting work into the durable queue and taking it out again, without being able to do any of it."""

from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient, EnqueueOptions, WorkflowSerializationFormat

from nullsplat.service.database import transaction
from nullsplat.service.jobs import Job, JobStore, insert_job

APPLICATION = "nullsplat"
QUEUE = "jobs"
WORKFLOW = "super_resolve"

WORKFLOW_VERSION = "1"
"""To be raised when the steps of the workflow change: a worker only goes on with what it understands."""

PRIORITIES = {"stat": 1, "normal": 10, "night": 20}
"""Lower goes first. Always given, because DBOS puts work without a priority before all other."""


class JobQueue:
    """Submits and cancels jobs; the API's side of the queue."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._client = DBOSClient(
            system_database_engine=engine, application_name=APPLICATION, retry_connection_errors=False
        )
        self.store = JobStore(engine)

    def submit(self, key: str, request: dict[str, Any]) -> tuple[Job, bool]:
        """The job called `key`, and whether it is new.

        The row and its workflow appear together or not at all; the same work submitted twice, even at the
        same moment, is one job.

        Raises:
            StorageError: the database does not answer.
        """
        created = True
        try:
            with transaction(self._engine) as connection:
                insert_job(connection, key, request)
                self._client.enqueue_in_transaction(connection, enqueue_options(key, request), key)
        except sa.exc.IntegrityError:
            created = False
        job = self.store.get(key)
        if job is None:
            raise LookupError(f"job {key} was neither there nor created")
        return job, created

    def cancel(self, key: str) -> tuple[Job | None, bool]:
        """Cancel the job if it is not too late: how it stands now (None if there is none), and whether this did it.

        A running job is not interrupted here: its worker notices at its next report of progress.

        Raises:
            StorageError: the database does not answer.
        """
        before = self.store.get(key)
        done = before is not None and self.store.cancel(key)
        if done and before is not None and before.state == "queued":
            self._client.cancel_workflow(key)
        return self.store.get(key), done

    def close(self) -> None:
        """Let go of the queue; the database connection stays the caller's."""
        self._client.destroy()


def enqueue_options(key: str, request: dict[str, Any]) -> EnqueueOptions:
    """How DBOS is to run a job: under the job's own name, once, by a worker that knows these steps."""
    return {
        "workflow_name": WORKFLOW,
        "queue_name": QUEUE,
        "workflow_id": key,
        "app_version": WORKFLOW_VERSION,
        "application_name": APPLICATION,
        "priority": PRIORITIES[request.get("priority", "normal")],
        "serialization_type": WorkflowSerializationFormat.PORTABLE,
    }

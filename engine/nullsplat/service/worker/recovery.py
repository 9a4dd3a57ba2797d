"""Recovers orphaned jobs: those of dead workers, and those that DBOS gave up."""

import logging

import sqlalchemy as sa
from dbos import DBOS, DBOSClient

from nullsplat.service.audit.entry import Event
from nullsplat.service.audit.log import AuditLog
from nullsplat.service.database.dbos_tables import queued, taken, workflow_status
from nullsplat.service.database.tables import jobs, transaction
from nullsplat.service.error_codes import WORKER_LOST
from nullsplat.service.queue.jobs import OPEN, JobStore
from nullsplat.service.queue.priorities import PriorityQueue
from nullsplat.service.queue.queue import APPLICATION, WORKFLOW, WORKFLOW_VERSION, enqueue_options
from nullsplat.service.queue.workers import Registry
from nullsplat.service.worker.workflow import MAX_ATTEMPTS

LOST = (
    f"the worker was lost {MAX_ATTEMPTS} times while it worked on this job, most likely for lack of memory; see its log "
    "and the system's, then run the job again"
)
UNEXPECTED = "the job ended unexpectedly, for example because the database was unreachable for long; the worker's log has the details"
TERMINAL_ERRORS = {"MAX_RECOVERY_ATTEMPTS_EXCEEDED": (WORKER_LOST, LOST), "ERROR": ("internal", UNEXPECTED)}
"""Failure code and message for a workflow that ended in this state of DBOS."""

logger = logging.getLogger(__name__)


class Recovery:
    """Runs inside a worker, at its start and every few seconds."""

    def __init__(self, engine: sa.Engine, registry: Registry, audit: AuditLog, ageing: float) -> None:
        """Recover from `engine`; a queued job moves up one class after `ageing` seconds, 0 for never."""
        self._ageing = ageing
        self._priorities = PriorityQueue(engine)
        self._engine = engine
        self._audit = audit
        self._registry = registry
        self._store = JobStore(engine)
        self._status = workflow_status(engine.dialect)
        self._client = DBOSClient(system_database_engine=engine, application_name=APPLICATION)

    def run(self) -> None:
        """Run every recovery step once.

        Raises:
            StorageError: the database does not answer.
        """
        self._take_over()
        self._drop_other_versions()
        self._restart_lost()
        self._fail_given_up()
        if aged := self._priorities.age(self._ageing):
            logger.info("%d jobs that have waited for long move up a class", len(aged))

    def _take_over(self) -> None:
        """Re-queue the jobs of dead workers.

        DBOS itself resumes only what a worker of the same name left behind. Re-queueing is guarded by the dead worker's
        name, so that two workers that recover at once do no harm.
        """
        row = self._status.c
        mine = sa.select(row.executor_id).where(
            *taken(self._status), row.name == WORKFLOW, row.application_version == WORKFLOW_VERSION
        )
        with transaction(self._engine) as connection:
            holders = {str(name) for name in connection.execute(mine).scalars()}
        orphaned = holders - self._registry.alive()
        if orphaned:
            logger.info("taking over the jobs of %d dead workers", len(orphaned))
            DBOS._recover_pending_workflows(sorted(orphaned))

    def _drop_other_versions(self) -> None:
        """Delete the workflows that another version of the steps began; they are restarted right after."""
        alive, row = self._registry.alive(), self._status.c
        with transaction(self._engine) as connection:
            others = [
                (key, holder)
                for state in (taken, queued)
                for key, holder in connection.execute(
                    sa.select(row.workflow_uuid, row.executor_id).where(
                        *state(self._status),
                        row.name == WORKFLOW,
                        row.application_version.is_distinct_from(WORKFLOW_VERSION),
                    )
                )
            ]
        for key, holder in others:
            if holder not in alive:
                self._client.delete_workflow(key)

    def _restart_lost(self) -> None:
        """Restart open jobs that have no workflow; finished stages lie in the job's folder and are not repeated."""
        known = sa.exists().where(self._status.c.workflow_uuid == jobs.c.key)
        lost = sa.select(jobs.c.key, jobs.c.request).where(jobs.c.state.in_(OPEN), ~known)
        with transaction(self._engine) as connection:
            found = connection.execute(lost).all()
        for key, request in found:
            logger.info("restarting the job", extra={"job": key})
            with transaction(self._engine) as connection:
                self._client.enqueue_in_transaction(connection, enqueue_options(key, request), key)

    def _fail_given_up(self) -> None:
        """Mark jobs as failed whose workflow ended without marking them."""
        row = self._status.c
        ended = sa.select(jobs.c.key, row.status).join_from(
            jobs, self._status, row.workflow_uuid == jobs.c.key
        )
        ended = ended.where(jobs.c.state.in_(OPEN), row.status.in_(TERMINAL_ERRORS))
        with transaction(self._engine) as connection:
            found = connection.execute(ended).all()
        for key, status in found:
            code, message = TERMINAL_ERRORS[status]
            failure = {"code": code, "message": message, "retryable": False}
            if self._store.fail(key, failure):
                logger.error(message, extra={"job": key, "code": code})
                if (job := self._store.get(key)) is not None:
                    self._audit.note(Event.FAILED, job, code=code)

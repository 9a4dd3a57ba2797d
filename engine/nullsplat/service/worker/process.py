"""The worker process: takes jobs from the queue and runs them, one at a time."""

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import sqlalchemy as sa
from dbos import DBOS, DBOSClient
from sqlalchemy.exc import SQLAlchemyError

from nullsplat.core.errors import StorageError
from nullsplat.service.audit import AuditLog
from nullsplat.service.database.schema import open_database
from nullsplat.service.logs import configure_logging
from nullsplat.service.processing.protocol import Processing
from nullsplat.service.queue.jobs import JobStore
from nullsplat.service.queue.pausing import POLL, Pausing
from nullsplat.service.queue.priorities import QUEUE
from nullsplat.service.queue.queue import APPLICATION, WORKFLOW_VERSION
from nullsplat.service.queue.retention import Retention
from nullsplat.service.queue.worker_status import WorkerStatus, gather, gpu_name
from nullsplat.service.queue.workers import Heartbeat, Identity, Registry, this_process
from nullsplat.service.settings import Settings, unknown_variables
from nullsplat.service.worker.progress import StopSignal
from nullsplat.service.worker.recovery import Recovery
from nullsplat.service.worker.spool_cleanup import SpoolCleanup
from nullsplat.service.worker.steps import Oversight, StageRunner
from nullsplat.service.worker.watchdog import Watchdog, restart_process
from nullsplat.service.worker.workflow import register

RECOVERY_INTERVAL = 10.0
"""Seconds between two searches for orphaned jobs."""
GRACE = 30.0
"""Seconds that a stopping worker gives a stage that should not be interrupted."""

logger = logging.getLogger(__name__)


def run_worker(
    settings: Settings,
    processing: Processing | None = None,
    restart: Callable[[], NoReturn] = restart_process,
) -> None:
    """Run jobs until SIGTERM or SIGINT. If it is killed, another worker resumes its job.

    Raises:
        ConfigurationError: a setting is wrong, or a worker of that name is running.
        WeightsError: the prior's weights are missing or damaged.
        StorageError: the database cannot be used.
    """
    configure_logging(settings.log_level, settings.log_format)
    for words in unknown_variables(os.environ):
        logger.warning(words)
    settings.prepare_spool()
    processing = processing or _super_resolution(settings)
    processing.verify()
    engine = open_database(settings.database)
    registry = Registry(engine, settings.worker_lost_seconds)
    me = this_process(settings.executor_id)
    registry.enter(me, gpu_name(settings.device))
    stop, audit = StopSignal(), AuditLog(settings.spool, f"worker {me.executor_id}")
    store = JobStore(engine, me.executor_id)
    watchdog = Watchdog(store, settings.stage_stop_seconds, restart)
    register(StageRunner(settings, store, processing, Oversight(stop, watchdog), audit))
    watchdog.start()
    _launch(engine, me)
    facts = WorkerStatus(engine)
    heartbeat = Heartbeat(
        registry, me, lambda: facts.note(me.executor_id, gather(settings.spool, settings.device))
    )
    heartbeat.start()
    logger.info("worker %s is ready", me.executor_id)
    cleanup = SpoolCleanup(JobStore(engine), Retention(engine), settings.spool, settings.retention_days)
    _recover_until_stopped(Recovery(engine, registry, audit, settings.ageing_seconds), cleanup)
    logger.info("worker %s stops", me.executor_id)
    stop.request()
    suspended = stop.suspended_jobs(GRACE)
    DBOS.destroy()
    _hand_back(engine, suspended)
    heartbeat.stop()
    registry.leave(me)
    logger.info("worker %s is gone", me.executor_id)
    # A suspended job must neither end nor be recorded as failed, and interpreter shutdown would wait for its thread.
    os._exit(0)


def _hand_back(engine: sa.Engine, suspended: frozenset[str]) -> None:
    """Re-queue suspended jobs; unlike the loss of a worker, that does not count as an attempt."""
    client = DBOSClient(system_database_engine=engine, application_name=APPLICATION)
    for key in suspended:
        client.resume_workflow(key, queue_name=QUEUE)
    client.destroy()


def _launch(engine: sa.Engine, me: Identity) -> None:
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": engine.url.render_as_string(hide_password=False),
            "system_database_engine": engine,
            "executor_id": me.executor_id,
            "application_version": WORKFLOW_VERSION,
            "enable_otlp": False,
            "log_level": "WARNING",
        }
    )
    DBOS.launch()
    # One job at a time for each worker, recovered ones included, since they come through the queue again. An existing row is
    # left as it is, because the queue may be paused; a new one lets nothing through until then.
    DBOS.register_queue(QUEUE, worker_concurrency=0, polling_interval_sec=POLL, on_conflict="never_update")
    Pausing(engine).obey()


def _recover_until_stopped(recovery: Recovery, cleanup: SpoolCleanup) -> None:
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while True:
        try:
            recovery.run()
            cleanup.clean()
        except (StorageError, SQLAlchemyError, OSError) as error:
            logger.warning("recovery or cleanup failed, retrying soon: %s", error)
        if stopped.wait(RECOVERY_INTERVAL):
            return


def _super_resolution(settings: Settings) -> Processing:
    # Imported here because it loads the whole pipeline, which takes seconds; a wrong setting should fail at once.
    from nullsplat.service.processing.super_resolution import SuperResolution  # noqa: PLC0415

    return SuperResolution.of(settings)

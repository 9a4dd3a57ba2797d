"""The worker process: takes jobs from the queue and runs them, one at a time."""

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import FrameType
from typing import NoReturn

import sqlalchemy as sa
from dbos import DBOS, DBOSClient
from sqlalchemy.exc import SQLAlchemyError

from nullsplat.core.errors import StorageError
from nullsplat.service.audit.entry import Event
from nullsplat.service.audit.log import open_audit_log
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
from nullsplat.service.worker.ownership import claim_spool
from nullsplat.service.worker.progress import StopSignal
from nullsplat.service.worker.recovery import Recovery
from nullsplat.service.worker.spool_cleanup import SpoolCleanup
from nullsplat.service.worker.steps import TURN_POLL, Oversight, StageRunner
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

    Told to stop, it brings the job that it has to an end for `settings.drain_seconds`, then hands it back; told once more,
    it hands it back at once.

    Raises:
        ConfigurationError: a setting is wrong, a worker of that name is running, or the spool is another engine's.
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
    claim_spool(settings.job_spool, engine)
    registry = Registry(engine, settings.worker_lost_seconds)
    me = this_process(settings.executor_id)
    orders = _stop_orders()  # from here on an unheeded SIGTERM would leave a dead worker in the registry
    registry.enter(me, gpu_name(settings.device))
    stop, audit = StopSignal(), open_audit_log(settings, f"worker {me.executor_id}")
    store = JobStore(engine, me.executor_id)
    watchdog = Watchdog(store, settings.stage_stop_seconds, restart)
    runner = StageRunner(settings, store, processing, Oversight(stop, watchdog), audit)
    register(runner)
    watchdog.start()
    _launch(engine, me)
    facts = WorkerStatus(engine)
    heartbeat = Heartbeat(
        registry, me, lambda: facts.note(me.executor_id, gather(settings.job_spool, settings.device))
    )
    heartbeat.start()
    audit.switched(Event.UP)
    logger.info("worker %s is ready", me.executor_id)
    cleanup = SpoolCleanup(JobStore(engine), Retention(engine), settings.job_spool, settings.retention_days)
    _recover_until_stopped(orders, Recovery(engine, registry, audit, settings.ageing_seconds), cleanup)
    logger.info("worker %s stops", me.executor_id)
    _drain(orders, runner, settings.drain_seconds)
    stop.request()
    suspended = stop.suspended_jobs(GRACE)
    DBOS.destroy()
    _hand_back(engine, suspended)
    heartbeat.stop()
    registry.leave(me)
    audit.close()
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


def _stop_orders() -> SimpleQueue[int]:
    """SIGTERM and SIGINT as they come, in a queue that a signal handler may put into at any moment."""
    orders: SimpleQueue[int] = SimpleQueue()

    def take(number: int, _frame: FrameType | None) -> None:
        orders.put(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, take)
    return orders


def _stopped_within(orders: SimpleQueue[int], seconds: float) -> bool:
    with contextlib.suppress(Empty):
        orders.get(timeout=seconds)
        return True
    return False


def _recover_until_stopped(orders: SimpleQueue[int], recovery: Recovery, cleanup: SpoolCleanup) -> None:
    while True:
        try:
            recovery.run()
            cleanup.clean()
        except (StorageError, SQLAlchemyError, OSError) as error:
            logger.warning("recovery or cleanup failed, retrying soon: %s", error)
        if _stopped_within(orders, RECOVERY_INTERVAL):
            return


def _drain(orders: SimpleQueue[int], runner: StageRunner, seconds: float) -> None:
    """Start no further job, and let the running one end, for so many seconds."""
    runner.start_no_more()
    deadline = time.monotonic() + seconds
    if runner.is_working and seconds:
        logger.info("the running job may go on for %.0f s", seconds)
    while runner.is_working and time.monotonic() < deadline:
        if _stopped_within(orders, TURN_POLL):
            return


def _super_resolution(settings: Settings) -> Processing:
    # Imported here because it loads the whole pipeline, which takes seconds; a wrong setting should fail at once.
    from nullsplat.service.processing.super_resolution import SuperResolution  # noqa: PLC0415

    return SuperResolution.of(settings)

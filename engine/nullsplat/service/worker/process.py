"""The worker process: takes jobs from the queue and does them, one at a time."""

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
from nullsplat.service.queue.worker_status import FactBook, gather, gpu_name
from nullsplat.service.queue.workers import Heartbeat, Identity, Registry, this_process
from nullsplat.service.settings import Settings, unknown_variables
from nullsplat.service.worker.progress import StopSignal
from nullsplat.service.worker.recovery import Sweeper
from nullsplat.service.worker.spool_cleanup import Janitor
from nullsplat.service.worker.steps import Oversight, StageRunner
from nullsplat.service.worker.watchdog import Watchdog, start_anew
from nullsplat.service.worker.workflow import register

SWEEP = 10.0
"""Seconds between two looks for orphaned jobs."""
GRACE = 30.0
"""Seconds that a stopping worker gives a stage that is better not interrupted."""

logger = logging.getLogger(__name__)


def run_worker(
    settings: Settings,
    processing: Processing | None = None,
    restart: Callable[[], NoReturn] = start_anew,
) -> None:
    """Do jobs until SIGTERM or SIGINT. Killed at any moment, another worker goes on where this one was.

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
    facts = FactBook(engine)
    heartbeat = Heartbeat(
        registry, me, lambda: facts.note(me.executor_id, gather(settings.spool, settings.device))
    )
    heartbeat.start()
    logger.info("worker %s is ready", me.executor_id)
    janitor = Janitor(JobStore(engine), Retention(engine), settings.spool, settings.retention_days)
    _tidy_until_told_to_stop(Sweeper(engine, registry, audit, settings.ageing_seconds), janitor)
    logger.info("worker %s stops", me.executor_id)
    stop.request()
    parked = stop.parked_jobs(GRACE)
    DBOS.destroy()
    _hand_back(engine, parked)
    heartbeat.stop()
    registry.leave(me)
    logger.info("worker %s is gone", me.executor_id)
    # A parked job must neither end nor be recorded as failed, and interpreter shutdown would wait for its thread.
    os._exit(0)


def _hand_back(engine: sa.Engine, parked: frozenset[str]) -> None:
    """Put jobs that were left on purpose back into the queue; unlike a lost worker, that is not held against them."""
    client = DBOSClient(system_database_engine=engine, application_name=APPLICATION)
    for key in parked:
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
    # One job at a time for each worker, also of those that are taken over, since they come through the queue again. A row
    # that is there is left as it is, because the queue may be paused; a new one lets nothing through until then.
    DBOS.register_queue(QUEUE, worker_concurrency=0, polling_interval_sec=POLL, on_conflict="never_update")
    Pausing(engine).obey()


def _tidy_until_told_to_stop(sweeper: Sweeper, janitor: Janitor) -> None:
    told = threading.Event()

    def tell(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    while True:
        try:
            sweeper.sweep()
            janitor.clean()
        except (StorageError, SQLAlchemyError, OSError) as error:
            logger.warning("looking after other jobs failed, trying again soon: %s", error)
        if told.wait(SWEEP):
            return


def _super_resolution(settings: Settings) -> Processing:
    # Imported here because it loads the whole pipeline, which takes seconds that a wrong setting need not cost.
    from nullsplat.service.processing.super_resolution import SuperResolution  # noqa: PLC0415

    return SuperResolution.of(settings)

"""The API process: takes jobs and tells how they are; does none."""

import contextlib
import logging
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from nullsplat.service.api import create_api
from nullsplat.service.database import open_database
from nullsplat.service.health import Readiness
from nullsplat.service.logs import configure_logging
from nullsplat.service.processing import Processing
from nullsplat.service.queueing import JobQueue
from nullsplat.service.settings import Settings

logger = logging.getLogger(__name__)


def run_server(settings: Settings) -> None:
    """Serve the API until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: a setting is wrong.
        StorageError: the database cannot be used.
    """
    configure_logging(settings.log_level)
    with application(settings, _super_resolution(settings)) as app:
        logger.info("the engine's API is at http://%s:%d", settings.host, settings.port)
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
        )


@contextlib.contextmanager
def application(settings: Settings, processing: Processing) -> Iterator[FastAPI]:
    """The API with its database and archive connections, closed at the end."""
    settings.prepare_spool()
    engine = open_database(settings.database)
    queue = JobQueue(engine)
    readiness = Readiness(settings, engine, processing)
    try:
        yield create_api(settings.secret.get_secret_value(), queue, readiness, processing)
    finally:
        readiness.close()
        queue.close()
        engine.dispose()


def _super_resolution(settings: Settings) -> Processing:
    # Imported here because it loads the whole pipeline, which takes seconds that a wrong setting need not cost.
    from nullsplat.service.super_resolution import SuperResolution  # noqa: PLC0415

    return SuperResolution(settings.device, settings.cpu_threads)

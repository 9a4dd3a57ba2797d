"""The API process: takes jobs and tells how they are; does none."""

import contextlib
import ipaddress
import logging
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from nullsplat.core.errors import ConfigurationError
from nullsplat.service.api import Access, Parts, create_api
from nullsplat.service.audit import AuditLog
from nullsplat.service.database import open_database
from nullsplat.service.engine_info import EngineInfo
from nullsplat.service.health import Readiness
from nullsplat.service.limits import Limits
from nullsplat.service.logs import configure_logging
from nullsplat.service.metrics import Metrics
from nullsplat.service.processing import Processing
from nullsplat.service.queueing import JobQueue
from nullsplat.service.settings import Settings

logger = logging.getLogger(__name__)


def run_server(settings: Settings) -> None:
    """Serve the API until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: a setting is wrong, or the address is taken.
        StorageError: the database cannot be used.
    """
    configure_logging(settings.log_level, settings.log_format)
    with application(settings, _super_resolution(settings)) as app:
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, ws="none")
        with listening_socket(settings.host, settings.port) as listener:
            logger.info("the engine's API is at http://%s:%d", settings.host, settings.port)
            uvicorn.Server(config).run(sockets=[listener])


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that takes connections.

    Raises:
        ConfigurationError: this address cannot be had.
    """
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[4][:2], family=address[0])
    except OSError as error:
        raise ConfigurationError(
            f"the API cannot listen at {host}:{port} ({error.strerror}); change NULLSPLAT_HOST or NULLSPLAT_PORT, or end "
            "what is listening there"
        ) from error
    if not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
        logger.warning(
            "the API can be reached from other machines without encryption; put a TLS proxy before it"
        )
    return listener


@contextlib.contextmanager
def application(settings: Settings, processing: Processing) -> Iterator[FastAPI]:
    """The API with its database and archive connections, closed at the end."""
    settings.prepare_spool()
    engine = open_database(settings.database)
    queue = JobQueue(engine)
    readiness = Readiness(settings, engine, processing)
    audit = AuditLog(settings.spool, "api")
    info = EngineInfo(engine, queue, processing, settings.worker_lost_seconds)
    parts = Parts(
        queue, readiness, info, Metrics(engine, settings.spool, settings.worker_lost_seconds), audit
    )
    try:
        yield create_api(_access(settings), parts)
    finally:
        readiness.close()
        queue.close()
        engine.dispose()


def _access(settings: Settings) -> Access:
    limits = Limits(settings.request_bytes, settings.requests_per_second, settings.request_burst)
    return Access(settings.secret.get_secret_value(), settings.metrics_public, limits)


def _super_resolution(settings: Settings) -> Processing:
    # Imported here because it loads the whole pipeline, which takes seconds that a wrong setting need not cost.
    from nullsplat.service.super_resolution import SuperResolution  # noqa: PLC0415

    return SuperResolution(settings.device, settings.cpu_threads, settings.prior)

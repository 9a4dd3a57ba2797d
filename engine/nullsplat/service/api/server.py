"""The API process: accepts jobs and reports on them; runs none."""

import contextlib
import ipaddress
import logging
import os
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from nullsplat.core.errors import ConfigurationError
from nullsplat.service.api.connections import ConnectionLimits, EventLoop, limited, raise_descriptor_limit
from nullsplat.service.api.engine_info import EngineInfo
from nullsplat.service.api.limits import Limits
from nullsplat.service.api.metrics import Metrics
from nullsplat.service.api.readiness import Readiness
from nullsplat.service.api.routes import Access, Parts, create_api
from nullsplat.service.audit.entry import Event
from nullsplat.service.audit.log import open_audit_log
from nullsplat.service.database.schema import open_database
from nullsplat.service.logs import configure_logging
from nullsplat.service.processing.protocol import Processing
from nullsplat.service.queue.queue import JobQueue
from nullsplat.service.settings import Settings, unknown_variables

CONNECTIONS_PER_CHANNEL = 4
"""So many connections there are for each that may stay open as a channel for event reports: the others are for requests."""
CHANNEL_BYTES = 1024
"""Size of a message from a subscriber, who has nothing to say."""

logger = logging.getLogger(__name__)


def run_server(settings: Settings) -> None:
    """Serve the API until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: a setting is wrong, or the address is taken.
        StorageError: the database cannot be used.
    """
    # Imported here because it loads the whole pipeline, which takes seconds; a wrong setting should fail at once.
    from nullsplat.service.processing.super_resolution import SuperResolution  # noqa: PLC0415

    configure_logging(settings.log_level, settings.log_format)
    for words in unknown_variables(os.environ):
        logger.warning(words)
    raise_descriptor_limit()
    with application(settings, SuperResolution.of(settings)) as app:
        config = server_configuration(app, settings)
        with listening_socket(settings.host, settings.port, encrypted=config.is_ssl) as listener:
            logger.info("the engine's API is at %s", settings.url)
            uvicorn.Server(config).run(sockets=[listener])


def server_configuration(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How the API is served: without access log, and by TLS where the settings name a certificate.

    Raises:
        ConfigurationError: certificate or key cannot be used.
    """
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="wsproto",
        ws_max_size=CHANNEL_BYTES,
        ws_per_message_deflate=False,
        http=limited(ConnectionLimits(settings.connections, settings.request_seconds)),
        loop=f"{EventLoop.__module__}:{EventLoop.__name__}",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_keyfile_password="-",  # noqa: S106 - none: a key with a password is refused instead of asked for
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"NULLSPLAT_TLS_CERTIFICATE_FILE and NULLSPLAT_TLS_KEY_FILE must name a PEM certificate and its key without "
            f"password, {certificate} and {key}: {error}"
        ) from error
    return config


def listening_socket(host: str, port: int, *, encrypted: bool = False) -> socket.socket:
    """A listening socket.

    Args:
        host, port: where; port 0 takes a free one.
        encrypted: whether TLS is used.

    Raises:
        ConfigurationError: the address cannot be used.
    """
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[4][:2], family=address[0])
    except OSError as error:
        raise ConfigurationError(
            f"the API cannot listen at {host}:{port} ({error.strerror}); change NULLSPLAT_HOST or NULLSPLAT_PORT, or stop "
            "what is listening there"
        ) from error
    if not encrypted and not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
        logger.warning(
            "the API can be reached from other machines without encryption; set NULLSPLAT_TLS_CERTIFICATE_FILE and "
            "NULLSPLAT_TLS_KEY_FILE, or put a TLS proxy before it"
        )
    return listener


@contextlib.contextmanager
def application(settings: Settings, processing: Processing) -> Iterator[FastAPI]:
    """The API with its database and archive connections, closed at the end."""
    settings.prepare_spool()
    engine = open_database(settings.database)
    queue = JobQueue(engine)
    readiness = Readiness(settings, engine, processing)
    audit = open_audit_log(settings, "api")
    info = EngineInfo(engine, queue, processing, settings.worker_lost_seconds)
    parts = Parts(
        queue, readiness, info, Metrics(engine, settings.spool, settings.worker_lost_seconds), audit
    )
    audit.switched(Event.UP)
    try:
        yield create_api(_access(settings), parts)
    finally:
        audit.close()
        readiness.close()
        queue.close()
        engine.dispose()


def _access(settings: Settings) -> Access:
    channels = settings.connections // CONNECTIONS_PER_CHANNEL
    limits = Limits(settings.request_bytes, settings.requests_per_second, settings.request_burst, channels)
    viewer = settings.viewer_secret.get_secret_value() if settings.viewer_secret else ""
    return Access(settings.secret.get_secret_value(), viewer, settings.metrics_public, limits)

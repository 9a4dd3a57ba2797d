"""Tells by its exit code whether the engine process in this container is well: `serve` or `worker`."""

import os
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from nullsplat.core.certificates import trust_exactly


def serve() -> str:
    """Empty when the API answers, else why not."""
    certificate = os.environ.get("NULLSPLAT_TLS_CERTIFICATE_FILE", "")
    scheme = "https" if certificate else "http"
    url = f"{scheme}://127.0.0.1:{os.environ.get('NULLSPLAT_PORT', '8043')}/healthz"
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if certificate:
        handlers.append(urllib.request.HTTPSHandler(context=trust_exactly(Path(certificate))))
    opener = urllib.request.build_opener(*handlers)
    try:
        with opener.open(url, timeout=8):
            return ""
    except (urllib.error.URLError, OSError) as error:
        return f"{url} must answer, but: {error}"


def worker() -> str:
    """Empty when the worker on this host has lately said in the database that it lives, else what is wrong."""
    import sqlalchemy as sa  # noqa: PLC0415 - the API's check need not load it

    from nullsplat.service.settings import Settings  # noqa: PLC0415

    settings = Settings()
    url = sa.make_url(settings.database)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    query = sa.text("SELECT max(seen) FROM nullsplat_workers WHERE host = :host")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            seen = connection.execute(query, {"host": socket.gethostname()}).scalar()
    except sa.exc.SQLAlchemyError as error:
        return f"the database must answer, but: {type(error).__name__}"
    if seen is None or time.time() - seen > settings.worker_lost_seconds:
        return f"the worker on this host must say every few seconds that it lives, it last did so at {seen}"
    return ""


if __name__ == "__main__":
    wrong = {"serve": serve, "worker": worker}[sys.argv[1]]()
    sys.stderr.write(wrong and f"nullsplat: {wrong}\n")
    sys.exit(bool(wrong))

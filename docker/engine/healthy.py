"""Tells by its exit code whether the engine process in this container is well: `serve` or `worker`."""

import os
import socket
import sys
import time
import urllib.error
import urllib.request

LOST_AFTER = 60.0
"""Seconds without a sign of life from a worker; it gives one every five."""


def serve() -> str:
    """Empty when the API answers, else why not."""
    url = f"http://127.0.0.1:{os.environ.get('NULLSPLAT_PORT', '8043')}/healthz"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=8):
            return ""
    except (urllib.error.URLError, OSError) as error:
        return f"{url} must answer, but: {error}"


def worker() -> str:
    """Empty when the worker on this host has lately said in the database that it lives, else what is wrong."""
    import sqlalchemy as sa  # noqa: PLC0415 - the API's check need not load it

    from nullsplat.service.settings import Settings  # noqa: PLC0415

    url = sa.make_url(Settings().database)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    query = sa.text("SELECT max(seen) FROM nullsplat_workers WHERE host = :host")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            seen = connection.execute(query, {"host": socket.gethostname()}).scalar()
    except sa.exc.SQLAlchemyError as error:
        return f"the database must answer, but: {type(error).__name__}"
    if seen is None or time.time() - seen > LOST_AFTER:
        return f"the worker on this host must say every few seconds that it lives, it last did so at {seen}"
    return ""


if __name__ == "__main__":
    wrong = {"serve": serve, "worker": worker}[sys.argv[1]]()
    sys.stderr.write(wrong and f"nullsplat: {wrong}\n")
    sys.exit(bool(wrong))

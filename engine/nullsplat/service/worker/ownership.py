"""Whose spool it is: workers of two engines, each with a database of its own, would delete each other's files as nobody's."""

import json
import time
from pathlib import Path

import sqlalchemy as sa

from nullsplat.core.errors import ConfigurationError, StorageError
from nullsplat.core.files import writing
from nullsplat.service.database.identity import identity
from nullsplat.service.folders import LARGER

OWNER = "owner.json"
INSIDE = "the SQLite file in this folder"
PATIENCE = 5.0
"""Seconds until the file must be whole that another worker has just begun."""


def claim_spool(spool: Path, engine: sa.Engine) -> None:
    """Mark a spool as one of this database's jobs, unless it is marked.

    Raises:
        ConfigurationError: it is another database's.
        StorageError: it cannot be written, or the database does not answer.
    """
    mine = _inside(spool, engine.url) or identity(engine)
    path, shown = spool / OWNER, engine.url.render_as_string(hide_password=True)
    with writing(path, LARGER):
        try:
            with path.open("x") as file:  # one of two that begin at once, also over NFS
                json.dump({"database": mine, "url": shown}, file)
        except FileExistsError:
            owner = _read(path)
            if owner.get("database") != mine:
                raise ConfigurationError(
                    f"the spool {spool} holds the jobs of another database, {owner.get('url')}; this engine's is {shown}: give "
                    f"each engine its own spool, or, if that database is used no more, delete {path}"
                ) from None


def _inside(spool: Path, url: sa.URL) -> str:
    """What an SQLite file in the spool itself is called: it may be lost and made anew, and still is the only one."""
    file = url.database if url.get_backend_name() == "sqlite" else None
    return INSIDE if file and Path(file).resolve().parent == spool.resolve() else ""


def _read(path: Path) -> dict[str, str]:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            content: dict[str, str] = json.loads(path.read_text())
        except ValueError:
            if time.monotonic() > deadline:
                raise StorageError(
                    f"{path} is damaged; if this engine alone uses that folder, delete it"
                ) from None
            time.sleep(0.1)
        else:
            return content

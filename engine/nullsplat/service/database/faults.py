"""Turns errors of the database into messages that say what to change."""

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from nullsplat.core.errors import ConfigurationError, DatabaseDamaged, NullSplatError, StorageError

VARIABLE = "NULLSPLAT_DATABASE_URL"
DRIVER = (
    f"{VARIABLE} names a PostgreSQL database, for which the Python package psycopg is needed and cannot be loaded; "
    "install it with pip install 'psycopg[binary]'"
)

RESTORE = (
    "stop the engine's processes, see what `nullsplat db check` says, and restore the last backup; "
    "docs/backup.md explains how"
)
_DAMAGE = ("malformed", "not a database", "invalid page in block", "could not read block", "missing chunk")
"""Errors of SQLite and PostgreSQL for damaged files."""

_CURES = (
    ("password authentication failed", f"correct user and password in {VARIABLE}"),
    ("no password supplied", f"{VARIABLE} must carry a password: postgresql://USER:PASSWORD@HOST/DATABASE"),
    ("no pg_hba.conf entry", "let the server's pg_hba.conf admit this user from this machine"),
    ("does not exist", f"create it, or correct the name in {VARIABLE}"),
    ("permission denied", "grant the user the right to create tables in this database"),
    ("resolve host", f"correct the host in {VARIABLE}"),
    ("translate host name", f"correct the host in {VARIABLE}"),
    ("refused", f"start the server, or correct host and port in {VARIABLE}"),
    ("timeout", f"see that the server can be reached from here, or correct host and port in {VARIABLE}"),
)
"""Parts of error messages of server or driver (always in English), and the remedy."""
_SETTINGS = ("password", "pg_hba", "does not exist", "permission")
"""Parts of permanent errors; the others may be transient."""


def damage(engine: sa.Engine, error: SQLAlchemyError) -> DatabaseDamaged | None:
    """The error to raise when the database's files are damaged; None when this is another error."""
    words = cause(error)
    if not any(sign in words.lower() for sign in _DAMAGE):
        return None
    return DatabaseDamaged(f"the database {engine.url!r} is damaged: {words}; {RESTORE}")


def explained(engine: sa.Engine, error: SQLAlchemyError) -> NullSplatError:
    """The error to raise when the database cannot be opened; the password is never part of it."""
    if (damaged := damage(engine, error)) is not None:
        return damaged
    words = cause(error)
    cure = next((cure for sign, cure in _CURES if sign in words.lower()), "")
    message = f"the database {engine.url!r} cannot be used: {words}{f'; {cure}' if cure else ''}"
    if any(sign in words.lower() for sign in _SETTINGS):
        return ConfigurationError(message)
    return StorageError(message)


def cause(error: SQLAlchemyError) -> str:
    """The driver's message on one line, without the statement and parameters that SQLAlchemy adds."""
    words = str(getattr(error, "orig", None) or type(error).__name__)
    return " ".join(words.partition("Multiple connection attempts failed")[0].split())

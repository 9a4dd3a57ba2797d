"""What is wrong when the database cannot be used, in words that say what to change."""

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from nullsplat.core.errors import ConfigurationError, NullSplatError, StorageError

VARIABLE = "NULLSPLAT_DATABASE_URL"
DRIVER = (
    f"{VARIABLE} names a PostgreSQL database, for which the Python package psycopg is needed and cannot be loaded; "
    "install it with pip install 'psycopg[binary]'"
)

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
"""What the server or the driver says (in English, whatever the language of the rest), and what helps."""
_SETTINGS = ("password", "pg_hba", "does not exist", "permission")
"""Words of faults that stay until somebody changes something; the others may pass by themselves."""


def explained(engine: sa.Engine, error: SQLAlchemyError) -> NullSplatError:
    """The error to raise when the database cannot be opened; the password is never part of it."""
    words = cause(error)
    cure = next((cure for sign, cure in _CURES if sign in words.lower()), "")
    message = f"the database {engine.url!r} cannot be used: {words}{f'; {cure}' if cure else ''}"
    if any(sign in words.lower() for sign in _SETTINGS):
        return ConfigurationError(message)
    return StorageError(message)


def cause(error: SQLAlchemyError) -> str:
    """The driver's own words, on one line: the statement and its parameters are SQLAlchemy's addition."""
    words = str(getattr(error, "orig", None) or type(error).__name__)
    return " ".join(words.partition("Multiple connection attempts failed")[0].split())

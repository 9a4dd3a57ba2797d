"""The whole engine of tests/service, for what becomes of jobs in worker processes."""

from tests.service.conftest import (
    archive,
    database_url,
    empty_database,
    engine,
    environment,
    forge,
    postgres,
    request_for,
    settings,
)

__all__ = [
    "archive",
    "database_url",
    "empty_database",
    "engine",
    "environment",
    "forge",
    "postgres",
    "request_for",
    "settings",
]

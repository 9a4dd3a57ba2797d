"""The engine's long-running processes, with settings from the environment."""

import os

from nullsplat.core.private import OTHERS
from nullsplat.service.api.server import run_server
from nullsplat.service.settings import Settings
from nullsplat.service.worker.process import run_worker as run_jobs


def run_api() -> None:
    """Serve the API until told to stop.

    Raises:
        ConfigurationError: a setting is missing or wrong.
        StorageError: the database cannot be used.
    """
    os.umask(OTHERS)  # whatever is written, the database too, tells of patients
    run_server(Settings())


def run_worker() -> None:
    """Do jobs until told to stop.

    Raises:
        ConfigurationError: a setting is missing or wrong.
        WeightsError: the prior's weights are missing or damaged.
        StorageError: the database cannot be used.
    """
    os.umask(OTHERS)
    run_jobs(Settings())

"""Clears the spool: images of jobs that are over, and all that is left of jobs after a while."""

import logging
import shutil
import time
from pathlib import Path

from dbos import DBOS

from nullsplat.service.folders import JobFolder
from nullsplat.service.jobs import OPEN, JobStore

INTERVAL = 600.0
"""Seconds. A job clears up after itself; this is for jobs whose worker could not."""
SECONDS_PER_DAY = 86400.0

logger = logging.getLogger(__name__)


class Janitor:
    """Runs inside a worker, at its start and every few minutes."""

    def __init__(self, store: JobStore, spool: Path, retention_days: float) -> None:
        """Clear `spool`, keeping documents for `retention_days`."""
        self._store = store
        self._jobs = spool / "jobs"
        self._retention = retention_days * SECONDS_PER_DAY
        self._due = 0.0

    def clean(self) -> None:
        """Clean, if it is time.

        Raises:
            StorageError: the database does not answer.
        """
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + INTERVAL
        for path in self._jobs.iterdir():
            job = self._store.get(path.name)
            if job is not None and job.state in OPEN:
                continue
            if time.time() - path.stat().st_mtime > self._retention:
                logger.info("deleting what is left of an old job", extra={"job": path.name})
                shutil.rmtree(path, ignore_errors=True)
            elif job is None or not _is_stopping(path.name):
                JobFolder(path).discard_images()


def _is_stopping(key: str) -> bool:
    """Whether a worker may still be busy with a job that was cancelled."""
    return bool(DBOS.list_workflows(workflow_ids=[key], status="PENDING", load_input=False))

"""Deletes the images of finished jobs, and after the retention time all that is left of them, in spool and database."""

import contextlib
import logging
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dbos import DBOS

from nullsplat.service.folders import JobFolder
from nullsplat.service.queue.jobs import OPEN, JobStore
from nullsplat.service.queue.retention import LEAST_DAYS, Retention
from nullsplat.service.worker.turns import clear, images_of

INTERVAL = 600.0
"""Seconds. A job cleans up after itself; this is for jobs whose worker could not."""
SECONDS_PER_DAY = 86400.0

logger = logging.getLogger(__name__)


class SpoolCleanup:
    """Runs inside a worker, at its start and every few minutes."""

    def __init__(self, store: JobStore, retention: Retention, spool: Path, retention_days: float) -> None:
        """Clean `spool` and the database, keeping everything but images for `retention_days`, rows for `LEAST_DAYS` at least."""
        self._store = store
        self._retention = retention
        self._jobs = spool / "jobs"
        self._days = retention_days
        self._due = 0.0

    def clean(self) -> None:
        """Clean, if it is due.

        Raises:
            StorageError: the database does not answer.
        """
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + INTERVAL
        for path in self._jobs.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another worker, or a person, deleted it first
                self._clean(path)
        before = datetime.now(UTC) - timedelta(days=max(self._days, LEAST_DAYS))
        if forgotten := self._retention.purge(before):
            logger.info("%d jobs that ended long ago were deleted", forgotten)

    def _clean(self, path: Path) -> None:
        old = time.time() - path.stat().st_mtime > self._days * SECONDS_PER_DAY
        images = images_of(JobFolder(path))
        if not old and not images:
            return
        job = self._store.get(path.name)
        if job is not None and job.state in OPEN:
            return
        if old:
            logger.info("deleting what is left of an old job", extra={"job": path.name})
            shutil.rmtree(path, ignore_errors=True)
        elif job is None or not _is_stopping(path.name):
            clear(JobFolder(path), images)


def _is_stopping(key: str) -> bool:
    """Whether a worker may still be busy with a job that was cancelled."""
    return bool(DBOS.list_workflows(workflow_ids=[key], status="PENDING", load_input=False))

"""The audit log: who did what with which job when, one JSON line each; append-only.

Lines hold keys, hashes and codes, never a patient's data nor UIDs. Every process writes for itself: each line is
appended with a single write, so that lines of several processes never mix. The file is reopened for each line, so
that logrotate may rename it at any time.
"""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nullsplat.core.errors import StorageError
from nullsplat.service.audit.entry import Entry, Event
from nullsplat.service.audit.reports import Reports
from nullsplat.service.audit.transfer import Images
from nullsplat.service.folders import JobFolder
from nullsplat.service.processing.protocol import Derived
from nullsplat.service.queue.jobs import Job
from nullsplat.service.settings import Settings

AUDIT_FILE = "audit.jsonl"
OUTPUT = "output.json"
"""In a job's folder: the hash of what was stored, kept for the line that says that the job is finished."""

logger = logging.getLogger(__name__)


class AuditLog:
    """Appends to the audit file of this machine's spool, and tells an audit repository where there is one."""

    def __init__(self, spool: Path, who: str, reports: Reports | None = None) -> None:
        """Write to `spool`, in the name of `who`."""
        self.path = spool / AUDIT_FILE
        self.who = who
        self._reports = reports

    def write(self, entry: Entry, images: Images | None = None) -> None:
        """Append a line and wait until it is on the disk; a disk that refuses it is told to the log, loudly.

        Args:
            images: that went between archive and worker; for the repository alone.
        """
        now = datetime.now(UTC)
        line = json.dumps({"time": now.isoformat(timespec="milliseconds"), **entry.facts()}) + "\n"
        try:
            _append(self.path, line.encode())
        except OSError as error:
            logger.error(
                "the audit line %s could not be written to %s: %s",
                entry.what,
                self.path,
                error.strerror,
                extra={"job": entry.job},
            )
        if self._reports is not None:
            self._reports.send(entry, now, images)

    def close(self) -> None:
        """Append that the process ends, and give the repository some seconds to take what waits for it."""
        self.switched(Event.DOWN)
        if self._reports is not None:
            self._reports.close()

    def switched(self, what: Event, who: str = "") -> None:
        """Append what happened to the queue or a process as a whole."""
        self.write(Entry(what, who or self.who))

    def moved(self, job: Job, who: str) -> None:
        """Append that a job was given another priority."""
        request = job.request
        entry = Entry(
            Event.MOVED, who, job.key, input=str(request["fingerprint"]), priority=str(request["priority"])
        )
        self.write(entry)

    def note(self, what: Event, job: Job, who: str = "", code: str = "") -> None:
        """Append an event of a job that has no result yet."""
        fingerprint = str(job.request["fingerprint"])
        self.write(Entry(what, who or self.who, job.key, input=fingerprint, code=code))

    def fetched(self, job: Job, folder: JobFolder) -> None:
        """Append that the source's images are here."""
        entry = Entry(Event.FETCHED, self.who, job.key, input=str(job.request["fingerprint"]))
        self.write(entry, Images(job.request["study_instance_uid"], [sorted(folder.source.glob("*"))]))

    def stored(self, job: Job, folder: JobFolder, derived: Derived, report: Mapping[str, Any]) -> None:
        """Append that the result is in the archive, and keep its hash for the job's last line."""
        try:
            output = output_hash({uid: folder.derived / name for uid, name in derived.files.items()})
            folder.write(OUTPUT, output)
        except (
            OSError,
            StorageError,
        ) as error:  # what is safe in the archive must not be undone for its hash
            logger.error("what was stored could not be hashed: %s", error, extra={"job": job.key})
            output = ""
        series = [[folder.derived / name for name in files.values()] for files in derived.all_series.values()]
        images = Images(job.request["study_instance_uid"], series)
        self.write(self._made(Event.STORED, job, output, report), images)

    def over(self, job: Job, folder: JobFolder) -> None:
        """Append how a job ended; a cancellation was written when it was requested."""
        if job.state == "failed":
            self.note(Event.FAILED, job, code=str((job.failure or {}).get("code", "internal")))
        elif job.state == "succeeded":
            report = (job.result or {}).get("report", {})
            self.write(self._made(Event.FINISHED, job, folder.read(OUTPUT) or "", report))

    def _made(self, what: Event, job: Job, output: str, report: Mapping[str, Any]) -> Entry:
        hashes = {"config": str(report.get("config_hash", "")), "model": str(report.get("model_hash", ""))}
        fingerprint = str(job.request["fingerprint"])
        return Entry(what, self.who, job.key, input=fingerprint, output=output, **hashes)


def open_audit_log(settings: Settings, who: str) -> AuditLog:
    """The audit log of this machine's spool, in the name of `who`.

    Raises:
        ConfigurationError: an audit repository is named, and its certificates cannot be used.
    """
    return AuditLog(settings.spool, who, Reports.of(settings, who))


def output_hash(files: Mapping[str, Path]) -> str:
    """SHA-256 over one line for each instance, sorted: its SOP Instance UID, a space, the SHA-256 of its file.

    Args:
        files: SOP Instance UID to file.
    """
    lines = [f"{uid} {_digest(path)}\n" for uid, path in sorted(files.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _append(path: Path, line: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.write(file, line) < len(line):
            os.write(file, b"\n")  # the disk is full: the next line must at least not continue a torn one
            raise OSError(0, "only part of the line was written")
        os.fsync(file)
    finally:
        os.close(file)

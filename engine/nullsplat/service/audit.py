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
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from nullsplat.core.errors import StorageError
from nullsplat.service.folders import JobFolder
from nullsplat.service.processing.protocol import Derived
from nullsplat.service.queue.jobs import Job

AUDIT_FILE = "audit.jsonl"
OUTPUT = "output.json"
"""In a job's folder: the hash of what was stored, kept for the line that says that the job is finished."""

logger = logging.getLogger(__name__)


class Event(StrEnum):
    """What can happen to a job, or to the queue as a whole."""

    REQUESTED = "requested"
    STARTED = "started"
    STORED = "stored"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    MOVED = "moved"
    PAUSED = "paused"
    RESUMED = "resumed"


@dataclass(frozen=True)
class Entry:
    """One line, apart from its time. Empty fields are left out.

    Attributes:
        who: `client <address>` for what was asked over HTTP, `worker <name>` for what a worker did.
        job: the job's key; empty where it is about the queue as a whole.
        priority: that the job was given.
        input: SHA-256 of the source's Series Instance UID and SOP Instance UIDs: the fingerprint of the request.
        output: SHA-256 over the stored SOP Instance UIDs and their files, see `output_hash`.
        config, model: SHA-256 of the configuration and of the weights.
        code: of the failure.
    """

    what: Event
    who: str
    job: str = ""
    input: str = ""
    priority: str = ""
    output: str = ""
    config: str = ""
    model: str = ""
    code: str = ""


class AuditLog:
    """Appends to the audit file of this machine's spool."""

    def __init__(self, spool: Path, who: str) -> None:
        """Write to `spool`, in the name of `who`."""
        self.path = spool / AUDIT_FILE
        self.who = who

    def write(self, entry: Entry) -> None:
        """Append a line and wait until it is on the disk; if the disk refuses it, the line goes to the log as an error."""
        facts = {name: value for name, value in asdict(entry).items() if value}
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **facts}) + "\n"
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

    def switched(self, what: Event, who: str) -> None:
        """Append an event of the queue as a whole."""
        self.write(Entry(what, who))

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
        self._made(Event.STORED, job, output, report)

    def over(self, job: Job, folder: JobFolder) -> None:
        """Append how a job ended; a cancellation was written when it was requested."""
        if job.state == "failed":
            self.note(Event.FAILED, job, code=str((job.failure or {}).get("code", "internal")))
        elif job.state == "succeeded":
            self._made(Event.FINISHED, job, folder.read(OUTPUT) or "", (job.result or {}).get("report", {}))

    def _made(self, what: Event, job: Job, output: str, report: Mapping[str, Any]) -> None:
        hashes = {"config": str(report.get("config_hash", "")), "model": str(report.get("model_hash", ""))}
        fingerprint = str(job.request["fingerprint"])
        self.write(Entry(what, self.who, job.key, input=fingerprint, output=output, **hashes))


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

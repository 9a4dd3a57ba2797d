"""What the audit log tells, one entry for each thing that happened."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum


class Event(StrEnum):
    """What can happen to a job, to the queue as a whole, and to a process."""

    REQUESTED = "requested"
    STARTED = "started"
    FETCHED = "fetched"
    STORED = "stored"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    MOVED = "moved"
    PAUSED = "paused"
    RESUMED = "resumed"
    UP = "up"
    DOWN = "down"
    DENIED = "denied"


@dataclass(frozen=True)
class Entry:
    """One line, apart from its time. Empty fields are left out.

    Attributes:
        who: `client <address>` for what was asked over HTTP, `worker <name>` for what a worker did, `api`.
        job: the job's key; empty where it is about the queue or a process as a whole.
        priority: that the job was given.
        input: SHA-256 of the source's Series Instance UID and SOP Instance UIDs: the fingerprint of the request.
        output: SHA-256 over the stored SOP Instance UIDs and their files, see `log.output_hash`.
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

    def facts(self) -> Mapping[str, str]:
        """What is not empty."""
        return {name: str(value) for name, value in asdict(self).items() if value}

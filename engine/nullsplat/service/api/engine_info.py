"""What GET /v1/engine answers: the engine, its queue and its workers."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from nullsplat import __version__
from nullsplat.service.database.dbos_tables import taken, workflow_status
from nullsplat.service.database.tables import transaction
from nullsplat.service.processing.protocol import Processing
from nullsplat.service.queue.queue import WORKFLOW, JobQueue
from nullsplat.service.queue.worker_status import WorkerFacts, WorkerStatus
from nullsplat.service.queue.workers import LOST_AFTER, Registry


class EngineInfo:
    """Builds the engine_info message of the contract."""

    def __init__(
        self, engine: sa.Engine, queue: JobQueue, processing: Processing, lost_after: float = LOST_AFTER
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._processing = processing
        self._registry = Registry(engine, lost_after)

    def message(self) -> dict[str, Any]:
        """The engine as it is now.

        Raises:
            StorageError: the database does not answer.
            WeightsError: there is no model.
        """
        name, sha256 = self._processing.model()
        since = self._queue.pausing.since()
        return {
            "version": __version__,
            "contract": 1,
            "model": {"name": name, "sha256": sha256},
            "presets": list(self._processing.presets()),
            "queue": {state: self._queue.store.count(state) for state in ("queued", "running")},
            "paused_since": None if since is None else _text(since),
            "workers": self._workers(),
        }

    def _workers(self) -> list[dict[str, Any]]:
        seen = self._registry.last_seen()
        facts, jobs = WorkerStatus(self._engine).of(set(seen)), self._jobs()
        return [
            _shown(name, moment, facts.get(name), jobs.get(name)) for name, moment in sorted(seen.items())
        ]

    def _jobs(self) -> dict[str, str]:
        """The job of each worker that has one."""
        status = workflow_status(self._engine.dialect)
        row = status.c
        query = sa.select(row.executor_id, row.workflow_uuid).where(*taken(status), row.name == WORKFLOW)
        with transaction(self._engine) as connection:
            return {str(worker): str(key) for worker, key in connection.execute(query)}


def _shown(name: str, seen: float, facts: WorkerFacts | None, job: str | None) -> dict[str, Any]:
    shown = {"id": name, "job": job, "seen_at": _text(datetime.fromtimestamp(seen, UTC))}
    if facts is None:  # it has only just started
        return shown
    memory = {"used_bytes": facts.gpu_used, "size_bytes": facts.gpu_size}
    return {**shown, "device": facts.gpu or "CPU", **({"memory": memory} if facts.gpu else {})}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

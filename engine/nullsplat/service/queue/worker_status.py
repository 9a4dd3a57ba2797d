"""What only a worker can know about itself (its GPU, its disk), stored in the database for the API to report."""

import logging
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from nullsplat.service.database.tables import transaction, worker_facts

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerFacts:
    """A worker at its last heartbeat. Sizes in bytes.

    Attributes:
        gpu: name of the device, empty where it computes on the CPU.
        gpu_used: memory of the device in use, by whatever process.
    """

    spool_free: int
    spool_size: int
    gpu: str = ""
    gpu_used: int = 0
    gpu_size: int = 0


def gather(spool: Path, device: str) -> WorkerFacts:
    """Inspect this process's disk and GPU; raises OSError when the spool is gone."""
    disk = shutil.disk_usage(spool)
    return WorkerFacts(disk.free, disk.total, *_gpu(device))


def gpu_name(device: str) -> str:
    """A globally unique name of this process's GPU; empty where it computes on the CPU."""
    if device == "cpu":
        return ""
    import torch  # noqa: PLC0415 - see below

    return f"GPU-{torch.cuda.get_device_properties(0).uuid}" if torch.cuda.is_available() else ""


def _gpu(device: str) -> tuple[str, int, int]:
    if device == "cpu":
        return "", 0, 0
    # Imported here because the API reads facts too, and need not load what takes seconds.
    import torch  # noqa: PLC0415

    if not torch.cuda.is_available():
        return "", 0, 0
    try:
        free, size = torch.cuda.mem_get_info()
        return torch.cuda.get_device_name(), size - free, size
    except RuntimeError as error:  # any error of CUDA; the job that needs the GPU will fail with it
        logger.debug("the GPU does not answer: %s", type(error).__name__)
        return "", 0, 0


class WorkerStatus:
    """The table `worker_facts`.

    Every method raises:
        StorageError: the database does not answer.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def note(self, executor_id: str, facts: WorkerFacts) -> None:
        """Replace what is known of a worker."""
        with transaction(self._engine) as connection:
            connection.execute(sa.delete(worker_facts).where(worker_facts.c.executor_id == executor_id))
            connection.execute(
                sa.insert(worker_facts).values(
                    executor_id=executor_id, facts=asdict(facts), noted=time.time()
                )
            )

    def of(self, alive: set[str]) -> dict[str, WorkerFacts]:
        """Facts of the live workers; those of dead ones are removed on the way."""
        with transaction(self._engine) as connection:
            rows = {row.executor_id: row.facts for row in connection.execute(sa.select(worker_facts))}
            if dead := rows.keys() - alive:
                connection.execute(sa.delete(worker_facts).where(worker_facts.c.executor_id.in_(dead)))
        return {name: WorkerFacts(**facts) for name, facts in rows.items() if name in alive}

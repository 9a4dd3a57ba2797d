"""What a worker does at the end of a job that is not its own any more."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from fast_processing import FastProcessing

from nullsplat.service.audit import AuditLog
from nullsplat.service.database import open_database, transaction
from nullsplat.service.jobs import JobStore, insert_job
from nullsplat.service.progress import StopSignal
from nullsplat.service.settings import Settings
from nullsplat.service.stages import Oversight, StageRunner
from nullsplat.service.watchdog import Watchdog, start_anew

LOST = {"code": "cancelled", "message": "the job was cancelled on request", "retryable": False}
REQUEST = {"parameters": {"preset": "preview"}, "fingerprint": "f"}


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Iterator[sa.Engine]:
    path = tmp_path / "nullsplat.sqlite"
    path.write_bytes(empty_database.read_bytes())
    engine = open_database(f"sqlite:///{path}")
    with transaction(engine) as connection:
        insert_job(connection, "k", REQUEST)
    yield engine
    engine.dispose()


@pytest.fixture
def runner(database: sa.Engine, settings: Settings, tmp_path: Path) -> StageRunner:
    """Of a worker that does not hold the job: nothing was heard of it for long."""
    settings.prepare_spool()
    store = JobStore(database, "the-lost-one")
    oversight = Oversight(StopSignal(), Watchdog(store, 60.0, start_anew))
    audit = AuditLog(settings.spool, "worker the-lost-one")
    return StageRunner(settings, store, FastProcessing(tmp_path / "control"), oversight, audit)


def test_a_worker_that_lost_its_job_leaves_the_files_to_its_successor(
    database: sa.Engine, runner: StageRunner
) -> None:
    assert JobStore(database).begin("k")
    source = runner.folder("k").source
    source.mkdir(parents=True)
    assert runner.finish("k", LOST) == "running"
    assert source.exists()


def test_the_files_of_a_job_that_was_cancelled_are_deleted(database: sa.Engine, runner: StageRunner) -> None:
    assert JobStore(database).cancel("k")
    source = runner.folder("k").source
    source.mkdir(parents=True)
    assert runner.finish("k", LOST) == "cancelled"
    assert not source.exists()

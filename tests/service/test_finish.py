"""What a worker does at the end of a job that is not its own any more."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.service.fast_processing import FastProcessing

from nullsplat.service.audit.log import AuditLog
from nullsplat.service.database.schema import open_database
from nullsplat.service.database.tables import transaction
from nullsplat.service.processing.protocol import Derived
from nullsplat.service.queue.jobs import JobStore, insert_job
from nullsplat.service.settings import Settings
from nullsplat.service.worker.progress import StopSignal
from nullsplat.service.worker.steps import Oversight, StageRunner
from nullsplat.service.worker.store import remember_derived
from nullsplat.service.worker.watchdog import Watchdog, restart_process

LOST = {"code": "cancelled", "message": "the job was cancelled on request", "retryable": False}
REQUEST = {"study_instance_uid": "2.25.9", "parameters": {"preset": "preview"}, "fingerprint": "f"}


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
    oversight = Oversight(StopSignal(), Watchdog(store, 60.0, restart_process))
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


def test_a_finished_result_is_stored_though_the_prior_changed_since(
    database: sa.Engine, runner: StageRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is computed again: its files and its report say by what it was made."""
    stored: list[str] = []
    monkeypatch.setattr(FastProcessing, "is_done", lambda *_: False)
    monkeypatch.setattr(FastProcessing, "run", lambda *_: pytest.fail("a stage was done again"))
    monkeypatch.setattr(runner, "_store", JobStore(database))
    monkeypatch.setattr(runner, "_save", lambda key, *_: stored.append(key))
    folder = runner.folder("k")
    folder.derived.mkdir(parents=True)
    (folder.derived / "00001.dcm").touch()
    remember_derived(folder, Derived("2.25.1", {"2.25.2": "00001.dcm"}))
    folder.write("report.json", {"model_hash": "a" * 64})
    assert runner.run("k", "store") is None
    assert stored == ["k"]

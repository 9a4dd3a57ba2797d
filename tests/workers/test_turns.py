"""Each turn at a job has a folder of its own, and a spool belongs to one database."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.service.engine import Engine, wait_for

from nullsplat.core.errors import ConfigurationError, StorageError
from nullsplat.service.database.schema import open_database
from nullsplat.service.database.tables import transaction, turns
from nullsplat.service.folders import JobFolder
from nullsplat.service.queue.jobs import JobStore, insert_job
from nullsplat.service.queue.retention import Retention
from nullsplat.service.settings import Settings
from nullsplat.service.worker import ownership
from nullsplat.service.worker.ownership import OWNER, claim_spool
from nullsplat.service.worker.turns import WHOLE, clear, drop_if_taken, images_of, latest, take_over

FINISHED = {"source/1.dcm", "derived/1.dcm", "work/stage1.npz", "work/stage1.done.json", "source.json"}
HALF = {"source.part/2.dcm", "work/.partial-x/stage2.npz", ".partial-y/report.json"}


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "k")


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Iterator[sa.Engine]:
    yield from opened(empty_database, tmp_path / "one" / "nullsplat.sqlite")


@pytest.fixture
def other(empty_database: Path, tmp_path: Path) -> Iterator[sa.Engine]:
    yield from opened(empty_database, tmp_path / "other" / "nullsplat.sqlite")


def opened(empty: Path, path: Path) -> Iterator[sa.Engine]:
    path.parent.mkdir()
    path.write_bytes(empty.read_bytes())
    engine = open_database(f"sqlite:///{path}")
    yield engine
    engine.dispose()


def fill(folder: Path, names: set[str], content: str = "1") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("place", [".", "turn-1"], ids=["of a version without turns", "of the turn before"])
def test_a_turn_takes_what_is_finished_and_leaves_nothing_to_the_one_before(
    job: JobFolder, place: str
) -> None:
    fill(job.path / place, FINISHED | HALF)
    mine = take_over(job, 2)
    assert files(mine.path) == FINISHED | {WHOLE}
    assert latest(job) == mine
    assert not job.images
    assert not (job.path / "turn-1").exists()


def test_a_turn_whose_worker_died_while_it_took_over_is_completed(job: JobFolder) -> None:
    fill(job.path / "turn-1", FINISHED - {"source.json"})
    fill(job.path / "turn-2", {"source.json"})
    assert files(take_over(job, 3).path) == FINISHED | {WHOLE}


def test_what_a_worker_writes_after_its_turn_is_not_taken(job: JobFolder) -> None:
    fill(take_over(job, 1).path, FINISHED)
    take_over(job, 2)
    fill(job.path / "turn-1", {"work/stage1.npz", "work/stage2.done.json"}, "late")
    mine = take_over(job, 3)
    assert files(mine.path) == FINISHED | {WHOLE}
    assert (mine.work / "stage1.npz").read_text() == "1"


def test_a_turn_takes_nothing_from_a_later_one(job: JobFolder) -> None:
    fill(take_over(job, 3).path, FINISHED)
    assert files(take_over(job, 2).path) == {WHOLE}
    assert files(latest(job).path) == FINISHED | {WHOLE}


def test_what_was_written_into_a_folder_that_was_taken_is_dropped(job: JobFolder) -> None:
    mine = take_over(job, 1)
    drop_if_taken(mine)
    assert mine.path.exists()
    take_over(job, 2)
    fill(mine.path, {"source.part/1.dcm"})
    drop_if_taken(mine)
    assert not mine.path.exists()


def test_of_a_job_that_is_over_the_documents_of_the_latest_turn_stay(job: JobFolder) -> None:
    fill(job.path, {"report.json"}, "of an earlier end")
    fill(take_over(job, 1).path, FINISHED | {"report.json"}, "of this one")
    images = images_of(job)
    begins_meanwhile = take_over(job, 2)
    fill(begins_meanwhile.path, {"source/1.dcm"})
    clear(job, images)
    assert latest(job) == begins_meanwhile
    assert files(begins_meanwhile.path) >= {"source/1.dcm"}
    clear(job, images_of(job))
    assert files(job.path) == {"report.json", "source.json"}
    assert (job.path / "report.json").read_text() == "of this one"
    clear(job, images_of(job))  # by another worker


def test_turns_are_counted_for_those_that_may_run_a_job_and_forgotten_with_it(database: sa.Engine) -> None:
    with transaction(database) as connection:
        insert_job(connection, "k", {"parameters": {"preset": "preview"}})
    store = JobStore(database)
    assert store.take("k") is None  # it waits
    store.begin("k")
    began = time.time()
    first, second, third = (store.take("k") or 0 for _ in range(3))
    assert int(began) <= first < second < third  # also after a database that is lost by now
    assert JobStore(database, "one that does not hold it").take("k") is None
    store.fail("k", {"code": "storage", "message": "", "retryable": True})
    assert store.take("k") is None
    retention = Retention(database)
    job = store.get("k")
    assert job is not None
    retention.purge(job.updated_at.replace(year=job.updated_at.year + 1))
    retention.close()
    with transaction(database) as connection:
        assert not connection.execute(sa.select(turns)).all()


def test_a_spool_is_one_databases(database: sa.Engine, other: sa.Engine, tmp_path: Path) -> None:
    claim_spool(tmp_path, database)
    claim_spool(tmp_path, database)
    with pytest.raises(ConfigurationError, match=r"another database, sqlite.*/one/.*delete .*owner\.json"):
        claim_spool(tmp_path, other)
    (tmp_path / OWNER).unlink()
    claim_spool(tmp_path, other)


def test_a_new_sqlite_file_in_the_spool_itself_is_no_other_database(
    empty_database: Path, tmp_path: Path
) -> None:
    for name in ("lost.sqlite", "new.sqlite"):
        (tmp_path / name).write_bytes(empty_database.read_bytes())
        engine = open_database(f"sqlite:///{tmp_path / name}")
        claim_spool(tmp_path, engine)
        engine.dispose()
        (tmp_path / name).unlink()


def test_a_damaged_owners_file_is_named(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "PATIENCE", 0.0)
    (tmp_path / OWNER).touch()
    with pytest.raises(StorageError, match=r"owner\.json is damaged"):
        claim_spool(tmp_path, database)


def test_a_worker_with_another_database_is_refused_and_deletes_nothing(
    engine: Engine, request_for: Callable[..., dict[str, Any]]
) -> None:
    engine.hold("stage2")
    engine.start_worker()
    key = engine.put(request_for())
    engine.wait_for_stage(key, "stage2", "running")
    before = files(engine.spool / "jobs")
    stranger = engine.start_worker(NULLSPLAT_DATABASE_URL=f"sqlite:///{engine.folder / 'other.sqlite'}")
    assert engine.wait_for_end(stranger) == 3
    assert "holds the jobs of another database" in engine.worker_log
    assert files(engine.spool / "jobs") == before
    engine.release("stage2")
    engine.wait(key, "succeeded")
    wait_for(lambda: not engine.has_images(key), what="the end of the job")


def test_a_shared_spool_needs_postgresql(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NULLSPLAT_SHARED_SPOOL", "/mnt/shared")
    monkeypatch.setenv("NULLSPLAT_DATABASE_URL", "sqlite:////tmp/nullsplat.sqlite")
    with pytest.raises(ConfigurationError, match="NULLSPLAT_SHARED_SPOOL is for workers on several machines"):
        Settings()
    monkeypatch.setenv("NULLSPLAT_DATABASE_URL", "postgresql://db/nullsplat")
    assert Settings().job_spool == Path("/mnt/shared")

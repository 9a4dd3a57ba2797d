"""What the database knows of jobs ends after a while; a backup is whole whatever goes on; damage is said."""

import contextlib
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.service.fast_processing import FastProcessing
from tests.support.service.postgres import PostgresServer, binaries
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.service.api.job_statistics import job_figures
from nullsplat.service.api.readiness import Readiness
from nullsplat.service.contract.messages import job_key
from nullsplat.service.database.schema import open_database
from nullsplat.service.database.tables import jobs, transaction
from nullsplat.service.queue.jobs import JobStore
from nullsplat.service.queue.queue import JobQueue
from nullsplat.service.queue.retention import LEAST_DAYS, Retention
from nullsplat.service.settings import Settings
from nullsplat.service.worker.spool_cleanup import SpoolCleanup

WORKFLOW_TABLES = ("workflow_status", "workflow_input", "workflow_output", "operation_outputs")
FAILURE = {"code": "storage", "message": "full", "retryable": True}


def request(number: int) -> dict[str, object]:
    return {
        "study_instance_uid": "2.25.1",
        "series_instance_uid": f"2.25.4711{number}",
        "fingerprint": f"{number:064x}",
        "attempt": 1,
        "parameters": {"preset": "preview", "scale": [2, 1, 1], "seed": 0, "samples": 1},
        "priority": "normal",
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, empty_database: Path, tmp_path: Path) -> str:
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.url()
    (tmp_path / "x.sqlite").write_bytes(empty_database.read_bytes())
    return f"sqlite:///{tmp_path / 'x.sqlite'}"


@pytest.fixture
def database(url: str) -> Iterator[sa.Engine]:
    engine = open_database(url)
    yield engine
    engine.dispose()


def filled(engine: sa.Engine, ages: dict[str, float]) -> None:
    """One job in each state that is asked for, the last change of which was so many days ago."""
    queue = JobQueue(engine)
    for number, (state, days) in enumerate(ages.items()):
        key = job_key(request(number))
        queue.submit(key, request(number))
        if state == "cancelled":
            queue.cancel(key)
        elif state != "queued":
            queue.store.begin(key)
        if state == "failed":
            queue.store.fail(key, FAILURE)
        with transaction(engine) as connection:
            moment = datetime.now(UTC) - timedelta(days=days)
            connection.execute(sa.update(jobs).where(jobs.c.key == key).values(updated_at=moment))
    queue.close()


def rows(engine: sa.Engine) -> dict[str, int]:
    place = "dbos." if engine.dialect.name == "postgresql" else ""
    counts = {name: sa.text(f"SELECT count(*) FROM {place}{name}") for name in WORKFLOW_TABLES}  # noqa: S608 - constants
    with transaction(engine) as connection:
        return {name: int(connection.execute(count).scalar_one()) for name, count in counts.items()}


def test_jobs_that_were_over_long_ago_are_forgotten_with_all_that_is_known_of_them(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nullsplat.service.queue.retention.BATCH", 1)
    filled(database, {"failed": 40, "cancelled": 40, "queued": 40, "running": 40})
    retention = Retention(database)
    assert retention.purge(datetime.now(UTC) - timedelta(days=30)) == 2
    assert retention.purge(datetime.now(UTC) - timedelta(days=30)) == 0
    retention.close()
    assert {job.state for job in JobStore(database).newest(None, 10)} == {"queued", "running"}
    assert rows(database)["workflow_status"] == rows(database)["workflow_input"] == 2
    figures = job_figures(database)
    assert (figures.states["failed"], figures.states["cancelled"]) == (0, 0)
    assert figures.failures["storage"] == 1  # a counter never falls


def test_rows_stay_for_a_week_whatever_is_set(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nullsplat.service.worker.spool_cleanup._is_stopping", lambda key: False)
    filled(database, {"failed": LEAST_DAYS - 1, "cancelled": LEAST_DAYS + 1})
    (tmp_path / "jobs" / job_key(request(0))).mkdir(parents=True)
    retention = Retention(database)
    SpoolCleanup(JobStore(database), retention, tmp_path, 0.0).clean()
    retention.close()
    assert [job.state for job in JobStore(database).newest(None, 10)] == ["failed"]
    assert list((tmp_path / "jobs").iterdir()) == []


def test_what_is_forgotten_is_not_in_the_file_any_more(
    empty_database: Path, tmp_path: Path, settings: Settings
) -> None:
    settings.prepare_spool()
    path = settings.spool / "nullsplat.sqlite"
    path.write_bytes(empty_database.read_bytes())
    engine = open_database(settings.database)
    filled(engine, {"failed": 40})
    engine.dispose()
    assert b"2.25.47110" in path.read_bytes()
    done = CliRunner().invoke(app, ["db", "purge"])
    assert "1 jobs that were over more than 30 days ago are forgotten" in done.output
    assert b"2.25.47110" not in b"".join(one.read_bytes() for one in settings.spool.glob("nullsplat.sqlite*"))


@pytest.fixture
def asked_for(url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a command whose database is the one of the test."""
    monkeypatch.setenv("NULLSPLAT_DATABASE_URL", url)
    if (folder := binaries()) is not None:
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    settings.prepare_spool()
    return Settings()


def test_a_backup_under_load_is_whole_and_of_one_moment(
    database: sa.Engine, asked_for: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ended, done = threading.Event(), 0
    queue = JobQueue(database)

    def work() -> None:
        nonlocal done
        while not ended.is_set():
            queue.submit(job_key(one := globals()["request"](done)), one)
            done += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        while done < 20:
            ended.wait(0.01)
        told = CliRunner().invoke(app, ["db", "backup", str(tmp_path / "copy")])
    finally:
        ended.set()
        thread.join()
        queue.close()
    assert told.exit_code == 0, told.output
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    with restored(database, tmp_path / "copy", request) as copy:
        found = JobStore(copy).newest(None, 10**6)
        assert 20 <= len(found) <= done
        assert rows(copy)["workflow_status"] == len(
            found
        )  # a job and its workflow came together, or not at all


@contextlib.contextmanager
def restored(engine: sa.Engine, copy: Path, request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """The database as docs/backup.md restores it."""
    url = f"sqlite:///{copy}"
    if engine.dialect.name == "postgresql":
        url = request.getfixturevalue("postgres").url()
        subprocess.run([str(binaries() / "pg_restore"), "--no-owner", "-d", url, str(copy)], check=True)
    opened = open_database(url)
    yield opened
    opened.dispose()


def test_a_backup_overwrites_nothing(database: sa.Engine, asked_for: Settings, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("precious")
    told = CliRunner().invoke(app, ["db", "backup", str(tmp_path / "copy")])
    assert (told.exit_code, (tmp_path / "copy").read_text()) == (2, "precious")


def test_a_missing_pg_dump_is_said(
    database: sa.Engine, asked_for: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = CliRunner().invoke(app, ["db", "backup", str(tmp_path / "copy")])
    if database.dialect.name == "postgresql":
        assert (told.exit_code, "install it (Debian: apt-get install postgresql-client)" in told.output) == (
            2,
            True,
        )
        assert list(tmp_path.glob("copy*")) == []
    else:
        assert told.exit_code == 0


def test_a_whole_database_is_said_to_be_whole(database: sa.Engine, asked_for: Settings) -> None:
    filled(database, {"failed": 1, "queued": 1})
    told = CliRunner().invoke(app, ["db", "check"])
    assert (told.exit_code, "is intact: 2 jobs" in told.output) == (0, True), told.output


def test_a_database_without_tables_is_not_made_by_a_check(settings: Settings) -> None:
    settings.prepare_spool()
    told = CliRunner().invoke(app, ["db", "check"])
    assert (told.exit_code, "has no tables of NullSplat" in told.output) == (2, True)


def damaged(empty_database: Path, settings: Settings) -> None:
    """A database with jobs, in the middle of whose file something else was written."""
    settings.prepare_spool()
    path = settings.spool / "nullsplat.sqlite"
    path.write_bytes(empty_database.read_bytes())
    engine = open_database(settings.database)
    filled(engine, {"failed": 1, "queued": 1})
    with transaction(engine) as connection:
        root, size = (
            connection.execute(sa.text(words)).scalar_one()
            for words in (
                "SELECT rootpage FROM sqlite_master WHERE name = 'workflow_input'",
                "PRAGMA page_size",
            )
        )
    engine.dispose()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * size)


def test_readiness_notices_a_damaged_database_and_says_what_to_do(
    empty_database: Path, settings: Settings, tmp_path: Path
) -> None:
    damaged(empty_database, settings)
    engine = sa.create_engine(settings.database)
    readiness = Readiness(settings, engine, FastProcessing(tmp_path / "control"))
    told = readiness.checks()["queue"]
    readiness.close()
    engine.dispose()
    assert "is damaged" in told
    assert "docs/backup.md" in told


@pytest.mark.parametrize("command", [["check"], ["backup", "copy.sqlite"]])
def test_a_damaged_database_is_found_and_never_backed_up(
    empty_database: Path,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    damaged(empty_database, settings)
    told = CliRunner().invoke(app, ["db", *command])
    assert told.exit_code == 1
    assert "docs/backup.md" in told.output
    assert list(tmp_path.glob("copy*")) == []


def test_a_file_that_is_no_database_is_said_at_the_start(settings: Settings) -> None:
    settings.prepare_spool()
    (settings.spool / "nullsplat.sqlite").write_bytes(b"not a database at all" * 100)
    told = CliRunner().invoke(app, ["db", "check"])
    assert (told.exit_code, "file is not a database" in told.output) == (1, True)

"""What is asked all the time is found by an index: it costs the same after years."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.service.fast_processing import FastProcessing

from nullsplat.service.api.engine_info import EngineInfo
from nullsplat.service.api.job_statistics import job_figures
from nullsplat.service.audit.log import AuditLog
from nullsplat.service.contract.messages import job_key
from nullsplat.service.database.schema import open_database
from nullsplat.service.queue.events import EventReader
from nullsplat.service.queue.jobs import JobStore, waiting_stages
from nullsplat.service.queue.priorities import PriorityQueue
from nullsplat.service.queue.queue import JobQueue
from nullsplat.service.queue.retention import Retention
from nullsplat.service.queue.workers import Registry
from nullsplat.service.worker.recovery import Recovery
from nullsplat.service.worklist.subscriptions import Subscriptions
from nullsplat.service.worklist.worklist import Worklist

BIG = ("nullsplat_jobs", "workflow_status", "nullsplat_subscriptions", "nullsplat_events")


def request(number: int) -> dict[str, Any]:
    return {
        "study_instance_uid": "2.25.1",
        "series_instance_uid": f"2.25.{number}1",
        "fingerprint": f"{number:064x}",
        "attempt": 1,
        "parameters": {"preset": "preview", "scale": [2, 1, 1], "seed": 0, "samples": 1},
        "priority": "normal",
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, empty_database: Path, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").url()
    else:
        (tmp_path / "x.sqlite").write_bytes(empty_database.read_bytes())
        url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    engine = open_database(url)
    yield engine
    engine.dispose()


def asked_all_the_time(engine: sa.Engine, folder: Path) -> dict[str, Callable[[], object]]:
    store, queue, line = JobStore(engine), JobQueue(engine), PriorityQueue(engine)
    retention, registry = Retention(engine), Registry(engine)
    recovery = Recovery(engine, registry, AuditLog(folder, "test"), 60.0)
    worklist = Worklist(queue)
    subscriptions = Subscriptions(worklist)
    key, running = job_key(request(1)), job_key(request(2))
    queue.submit(key, request(1))
    queue.submit(running, request(2))
    store.begin(running)
    return {
        "a poll of a queued job": lambda: (store.get(key), line.place(key)),
        "the newest jobs": lambda: store.newest(None, 50),
        "the newest jobs in a state": lambda: store.newest("failed", 50),
        "all places": line.places,
        "metrics": lambda: job_figures(engine),
        "engine": EngineInfo(engine, queue, FastProcessing(folder / "control")).message,
        "recent stages": lambda: store.recent_stages("preview"),
        "progress": lambda: store.report(running, waiting_stages(), 0.5, None),
        "a worker's progress": lambda: JobStore(engine, "me").report(running, waiting_stages(), 0.5, None),
        "a sweep": recovery.run,
        "ageing": lambda: line.age(1.0),
        "another priority": lambda: line.move(key, "stat"),
        "a purge": lambda: retention.purge(datetime(2020, 1, 1, tzinfo=UTC)),
        "the end of a job": lambda: store.fail(running, {"code": "input", "message": "", "retryable": False}),
        "a cancellation": lambda: queue.cancel(key),
        "events": EventReader(engine).new,
        "subscriptions": lambda: subscriptions.of(["A", "B"]),
        "a page of workitems": lambda: next(worklist.pages()),
        "a new job": lambda: queue.submit(job_key(request(3)), request(3)),
    }


def walks(engine: sa.Engine, statements: list[tuple[str, Any]]) -> list[str]:
    """The steps of the statements' plans that read a large table from one end to the other."""
    found = []
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":  # else it would rather walk, as long as the tables are small
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in statements:
            if not any(table in statement for table in BIG) or not statement.lstrip().upper().startswith(
                ("SELECT", "UPDATE", "DELETE")
            ):
                continue
            words = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
            for row in connection.exec_driver_sql(words + statement, parameters):
                step = str(row[-1])
                walked = any(f"{verb} {table}" in step for table in BIG for verb in ("SCAN", "Seq Scan on"))
                if walked and not is_short(step, statement):
                    found.append(f"{step}: {' '.join(statement.split())[:300]}")
    return found


def is_short(step: str, statement: str) -> bool:
    """Whether a walk ends soon: over the index of what waits or is worked on, or from the newest job on."""
    newest = "USING INDEX ix_nullsplat_jobs_created" in step and "LIMIT" in statement
    in_flight = ("idx_workflow_status_pending", "idx_workflow_status_in_flight")
    return newest or any(f"USING INDEX {index}" in step for index in in_flight)


def test_nothing_that_is_asked_all_the_time_reads_a_whole_table(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "nullsplat.service.worker.recovery.DBOS._recover_pending_workflows", lambda names: None
    )
    found, statements = {}, []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        statements.append((statement, parameters))

    for name, ask in asked_all_the_time(database, tmp_path).items():
        sa.event.listen(database, "before_cursor_execute", note)
        ask()
        sa.event.remove(database, "before_cursor_execute", note)
        assert statements, name
        if walked := walks(database, statements):
            found[name] = walked
        statements.clear()
    assert found == {}


def test_a_walk_is_noticed(database: sa.Engine) -> None:
    assert walks(database, [("SELECT count(*) FROM nullsplat_jobs WHERE progress > 0", ())])

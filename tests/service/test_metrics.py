"""/metrics tells what is in the database, in words of our own only."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from tests.support.service.fast_processing import FastProcessing

import nullsplat
from nullsplat.service.api.metrics import Metrics
from nullsplat.service.api.server import application
from nullsplat.service.contract.messages import STAGES
from nullsplat.service.database import job_counts
from nullsplat.service.database.schema import open_database
from nullsplat.service.database.tables import jobs, transaction
from nullsplat.service.error_codes import known_reasons
from nullsplat.service.queue.jobs import OPEN, JobStore, insert_job, reset_job, waiting_stages
from nullsplat.service.queue.worker_status import WorkerFacts, WorkerStatus, gather
from nullsplat.service.queue.workers import Registry, this_process
from nullsplat.service.settings import Settings

SECRET = "a-secret-for-tests-only"


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Iterator[sa.Engine]:
    path = tmp_path / "nullsplat.sqlite"
    path.write_bytes(empty_database.read_bytes())
    engine = open_database(f"sqlite:///{path}")
    yield engine
    engine.dispose()


def add(
    database: sa.Engine,
    key: str,
    state: str,
    *,
    seconds: dict[str, float] | None = None,
    code: str | None = None,
    priority: str | None = "normal",
    age: float = 0.0,
    ended: float = 0.0,
) -> None:
    stages = [
        {"name": name, "progress": 1.0, "state": "done", "seconds": seconds[name]}
        if seconds and name in seconds
        else {"name": name, "progress": 0.0, "state": "waiting"}
        for name in STAGES
    ]
    request = {"series_instance_uid": "2.25.4711", "parameters": {"preset": "preview"}}
    now = datetime.now(UTC)
    with transaction(database) as connection:
        connection.execute(
            sa.insert(jobs).values(
                key=key,
                state=state,
                request=request | ({"priority": priority} if priority else {}),
                stages=stages,
                failure={"code": code, "message": "DOE^JANE", "retryable": False} if code else None,
                created_at=now - timedelta(seconds=age),
                updated_at=now - timedelta(seconds=ended),
            )
        )
        if state not in OPEN:
            row = connection.execute(sa.select(jobs).where(jobs.c.key == key)).one()
            job_counts.add(connection, job_counts.of_job(row))


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Name and label values (in the order of the labels' names) to value."""
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def told(database: sa.Engine, spool: Path) -> dict[tuple[str, ...], float]:
    return samples(Metrics(database, spool).text())


def test_jobs_are_counted_by_state_and_queued_ones_by_priority(database: sa.Engine, tmp_path: Path) -> None:
    add(database, "a", "queued", priority="stat", age=30)
    add(database, "b", "queued", priority=None, age=90)
    add(database, "c", "running", priority="night", age=500)
    figures = told(database, tmp_path)
    assert figures["nullsplat_jobs", "queued"] == 2
    assert figures["nullsplat_jobs", "running"] == 1
    assert figures["nullsplat_jobs", "failed"] == 0
    assert [figures["nullsplat_queue_length", name] for name in ("stat", "normal", "night")] == [1, 1, 0]
    assert 90 <= figures["nullsplat_oldest_queued_seconds",] < 90 + 60


def test_an_empty_queue_has_no_age(database: sa.Engine, tmp_path: Path) -> None:
    assert told(database, tmp_path)["nullsplat_oldest_queued_seconds",] == 0


def test_stage_seconds_are_those_of_all_jobs_that_are_over(database: sa.Engine, tmp_path: Path) -> None:
    add(database, "a", "succeeded", seconds=dict.fromkeys(STAGES, 4.0), age=100, ended=40)
    add(database, "b", "failed", seconds={"fetch": 0.5}, code="storage")
    add(database, "c", "running", seconds={"fetch": 7.0})
    figures = told(database, tmp_path)
    assert figures["nullsplat_stage_seconds_sum", "fetch"] == 4.5
    assert figures["nullsplat_stage_seconds_count", "fetch"] == 2
    assert figures["nullsplat_stage_seconds_bucket", "1.0", "fetch"] == 1
    assert figures["nullsplat_stage_seconds_bucket", "5.0", "fetch"] == 2
    assert figures["nullsplat_stage_seconds_bucket", "+Inf", "fetch"] == 2
    assert figures["nullsplat_stage_seconds_count", "store"] == 1
    assert figures["nullsplat_job_seconds_sum",] == pytest.approx(60)
    assert figures["nullsplat_job_seconds_count",] == 1


def test_a_value_on_a_bound_counts_below_it(database: sa.Engine, tmp_path: Path) -> None:
    add(
        database,
        "a",
        "succeeded",
        seconds={"fetch": job_counts.BOUNDS[0], "store": job_counts.BOUNDS[-1] + 1},
    )
    figures = told(database, tmp_path)
    assert figures["nullsplat_stage_seconds_bucket", str(job_counts.BOUNDS[0]), "fetch"] == 1
    assert figures["nullsplat_stage_seconds_bucket", str(job_counts.BOUNDS[-1]), "store"] == 0
    assert figures["nullsplat_stage_seconds_bucket", "+Inf", "store"] == 1


def test_a_job_is_counted_when_it_ends_and_once_more_when_it_was_released(
    database: sa.Engine, tmp_path: Path
) -> None:
    store, stages = JobStore(database), [dict(stage) for stage in waiting_stages()]
    stages[0].update(state="done", seconds=1.0)
    failure = {"code": "storage", "message": "full", "retryable": True}
    with transaction(database) as connection:
        insert_job(connection, "a", {"parameters": {"preset": "preview"}})

    def counted() -> tuple[float, ...]:
        figures = told(database, tmp_path)
        names = ("nullsplat_jobs", "failed"), ("nullsplat_stage_seconds_count", "fetch")
        return *(figures[name] for name in names), figures["nullsplat_job_failures_total", "storage"]

    store.begin("a")
    store.report("a", stages, 0.5, None)
    assert counted() == (0, 0, 0)
    assert [store.fail("a", failure), store.fail("a", failure)] == [True, False]
    assert counted() == (1, 1, 1)
    with transaction(database) as connection:
        assert reset_job(connection, "a")
    assert counted() == (0, 1, 1)
    store.fail("a", failure)
    assert counted() == (1, 1, 2)


def test_failures_are_counted_by_codes_of_our_own(database: sa.Engine, tmp_path: Path) -> None:
    for key, code in (("a", "gantry-tilt"), ("b", "storage"), ("c", "storage"), ("d", "doe-jane")):
        add(database, key, "failed", code=code)
    text = Metrics(database, tmp_path).text()
    figures = samples(text)
    assert figures["nullsplat_job_failures_total", "gantry-tilt"] == 1
    assert figures["nullsplat_job_failures_total", "storage"] == 2
    assert figures["nullsplat_job_failures_total", "other"] == 1
    assert figures["nullsplat_job_failures_total", "stage-timeout"] == 0  # there before the first one fails
    for private in (b"doe", b"DOE", b"4711"):
        assert private not in text


def test_every_code_of_the_engine_is_a_known_reason() -> None:
    engine = Path(nullsplat.__file__).parent
    layers = [
        path
        for path in engine.rglob("*.py")
        if path.relative_to(engine).parts[0] not in ("node", "demo", "cli")
    ]
    codes = {
        code
        for path in layers
        for code in re.findall(r'^    code(?:: str)? = "(.+)"$', path.read_text(), re.M)
    }
    assert {"storage", "mixed-runs", "no-worker", "internal"} <= codes
    assert codes <= known_reasons()
    assert {"gantry-tilt", "worker-lost"} <= known_reasons()


def test_living_workers_tell_of_their_gpu_and_dead_ones_nothing(database: sa.Engine, tmp_path: Path) -> None:
    registry, book, me = Registry(database), WorkerStatus(database), this_process("gpu0")
    registry.enter(me)
    book.note("gpu0", WorkerFacts(10, 100, 'NVIDIA "H100"', 3, 80))
    book.note("gone", WorkerFacts(1, 2, "NVIDIA H100", 3, 4))
    figures = told(database, tmp_path)
    assert figures["nullsplat_workers_alive",] == 1
    assert figures["nullsplat_worker_gpu_memory_used_bytes", 'NVIDIA "H100"', "gpu0"] == 3
    assert figures["nullsplat_worker_gpu_memory_size_bytes", 'NVIDIA "H100"', "gpu0"] == 80
    assert figures["nullsplat_worker_spool_free_bytes", "gpu0"] == 10
    assert not [labels for labels in figures if "gone" in labels]
    assert list(book.of({"gone"})) == []  # forgotten for good


def test_a_worker_on_the_cpu_has_a_disk_and_no_gpu(tmp_path: Path) -> None:
    facts = gather(tmp_path, "cpu")
    assert 0 < facts.spool_free <= facts.spool_size
    assert (facts.gpu, facts.gpu_size) == ("", 0)


def test_figures_are_good_for_a_second(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics(database, tmp_path)
    before = metrics.text()
    add(database, "a", "queued")
    assert metrics.text() is before
    monkeypatch.setattr("nullsplat.service.api.metrics.FRESH", 0.0)
    assert samples(metrics.text())["nullsplat_jobs", "queued"] == 1


@pytest.mark.parametrize("public", [False, True])
def test_the_secret_guards_the_metrics_unless_they_are_public(
    settings: Settings, tmp_path: Path, public: bool
) -> None:
    changed: Any = settings.model_copy(update={"metrics_public": public})
    with application(changed, FastProcessing(tmp_path / "control")) as app, TestClient(app) as client:
        without = client.get("/metrics")
        shown = client.get("/metrics", headers={"Authorization": f"Bearer {SECRET}"})
        assert client.get("/v1/engine").status_code == 401
    assert without.status_code == (200 if public else 401)
    assert shown.status_code == 200
    assert shown.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert samples(shown.content)["nullsplat_workers_alive",] == 0

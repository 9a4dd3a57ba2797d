"""Which job goes first, and which does not go any more."""

import signal
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import SERIES
from tests.support.service.engine import Engine, wait_for

Request = Callable[..., dict[str, Any]]


def test_urgent_jobs_go_first_and_those_for_the_night_last(engine: Engine, request_for: Request) -> None:
    wanted = {
        priority: engine.put(request_for(attempt=attempt, priority=priority))
        for attempt, priority in enumerate(("night", "normal", "stat"), start=1)
    }
    engine.start_worker()
    ended = [
        engine.wait(key, "succeeded")["updated_at"]
        for key in (wanted["stat"], wanted["normal"], wanted["night"])
    ]
    assert ended == sorted(ended)
    assert len(set(ended)) == 3


@pytest.mark.parametrize("let_through", [1, 2])
def test_a_worker_does_one_job_at_a_time(engine: Engine, request_for: Request, let_through: int) -> None:
    """Also when the queue lets two through, as it does where the first one's thread is slow to begin."""
    engine.start_worker()
    engine.wait(engine.put(request_for()), "succeeded")
    with engine.database() as connection:
        connection.execute(sa.text(f"UPDATE queues SET worker_concurrency = {let_through}"))  # noqa: S608 - a number
    engine.hold("stage1")
    keys = [engine.put(request_for(attempt=attempt)) for attempt in (2, 3)]
    running = wait_for(
        lambda: [key for key in keys if is_at_stage_1(engine.status(key))], what="a running job"
    )
    if let_through > 1:
        wait_for(lambda: claimed(engine) == set(keys), what="both jobs let through")
    assert engine.client.get("/v1/engine").json()["queue"] == {"queued": 1, "running": 1}
    engine.release("stage1")
    for key in keys:
        engine.wait(key, "succeeded")
    assert len(running) == 1


def test_a_worker_told_to_stop_hands_back_a_job_that_waits_for_its_turn(
    engine: Engine, request_for: Request
) -> None:
    worker = engine.start_worker()
    engine.wait(engine.put(request_for()), "succeeded")
    with engine.database() as connection:
        connection.execute(sa.text("UPDATE queues SET worker_concurrency = 2"))
    engine.hold("stage1")
    keys = [engine.put(request_for(attempt=attempt)) for attempt in (2, 3)]
    wait_for(lambda: claimed(engine) == set(keys), what="both jobs let through")
    assert engine.end(worker, signal.SIGTERM) == 0
    assert claimed(engine) == set()
    engine.release("stage1")
    engine.start_worker()
    for key in keys:
        engine.wait(key, "succeeded")


def is_at_stage_1(status: dict[str, Any]) -> bool:
    return any(stage["name"] == "stage1" and stage["state"] == "running" for stage in status["stages"])


def claimed(engine: Engine) -> set[str]:
    """Jobs that the queue has let through and that have not ended."""
    with engine.database() as connection:
        query = sa.text("SELECT workflow_uuid FROM workflow_status WHERE status = 'PENDING'")
        return set(connection.execute(query).scalars())


def test_a_job_cancelled_in_the_queue_is_never_begun(engine: Engine, request_for: Request) -> None:
    cancelled, wanted = (engine.put(request_for(attempt=attempt)) for attempt in (1, 2))
    assert engine.client.delete(f"/v1/jobs/{cancelled}").json()["state"] == "cancelled"
    engine.start_worker()
    engine.wait(wanted, "succeeded")
    assert engine.calls().count("prepare") == 1
    assert engine.status(cancelled)["state"] == "cancelled"


def test_a_running_job_stops_soon_after_it_is_cancelled_and_leaves_nothing(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.hold("stage2")
    key = engine.put(request_for())
    engine.start_worker()
    engine.wait_for_stage(key, "stage2", "running")
    status = engine.client.delete(f"/v1/jobs/{key}").json()
    assert status["state"] == "cancelled"
    assert {stage["name"]: stage["state"] for stage in status["stages"]}["stage2"] == "waiting"
    wait_for(lambda: not engine.has_images(key), what="an empty folder")
    assert "consistency" not in engine.calls()
    assert not archive.derived(SERIES)
    # The worker is free for the next one.
    engine.release("stage2")
    engine.wait(engine.put(request_for(attempt=2)), "succeeded")
    assert engine.status(key)["state"] == "cancelled"


def test_a_job_whose_result_is_being_stored_cannot_be_cancelled(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    archive.may_store.clear()
    key = engine.put(request_for())
    engine.start_worker()
    engine.wait_for_stage(key, "store", "running")
    wait_for(lambda: engine.turn(key).has("storing.json"), what="the first chunk")
    assert engine.client.delete(f"/v1/jobs/{key}").json()["state"] == "running"
    archive.may_store.set()
    assert engine.wait(key, "succeeded", "failed", "cancelled")["state"] == "succeeded"


def test_a_cancelled_job_of_a_dead_worker_is_cleaned_up(engine: Engine, request_for: Request) -> None:
    key = engine.killed_in("stage2", request_for())
    engine.client.delete(f"/v1/jobs/{key}")
    engine.start_worker()
    wait_for(lambda: not engine.has_images(key), what="an empty folder")
    assert engine.status(key)["state"] == "cancelled"
    assert engine.calls().count("stage2") == 1


def test_progress_is_seen_while_a_stage_runs(engine: Engine, request_for: Request) -> None:
    engine.hold("stage1")
    key = engine.put(request_for())
    engine.start_worker()

    def halfway() -> dict[str, Any] | None:
        status = engine.status(key)
        return status if status["stages"][1]["progress"] == 0.5 else None

    status = wait_for(halfway, what="progress")
    assert status["stages"][0]["state"] == "done"
    assert status["stages"][1]["note"] == "held"
    assert status["stages"][1]["peak_memory_mib"] > 1
    assert 0 < status["progress"] < 0.5
    assert status["eta_seconds"] > 0
    engine.release("stage1")
    assert engine.wait(key, "succeeded")["eta_seconds"] == 0

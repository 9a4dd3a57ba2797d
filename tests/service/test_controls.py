"""What people do with the queue: move a job, release one that failed, pause it all."""

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from tests.service.test_api import refusal
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import SERIES
from tests.support.service.engine import PATIENCE, Engine, wait_for

from nullsplat.service.contract.messages import fault
from nullsplat.service.database.schema import open_database
from nullsplat.service.queue.jobs import JobStore
from nullsplat.service.queue.priorities import Waiting, promotions

Request = Callable[..., dict[str, Any]]
SWEEPING_OFTEN = {"nullsplat.service.worker.process.RECOVERY_INTERVAL": 0.3}


def audited(engine: Engine, what: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (engine.spool / "audit.jsonl").read_text().splitlines()]
    return [line for line in lines if line["what"] == what]


def position(engine: Engine, key: str) -> int:
    status = engine.status(key)
    assert fault("job_status", status) is None
    place: int = status["waiting"]["position"]
    return place


# Priority


def test_a_queued_job_is_told_its_position_and_can_be_moved(engine: Engine, request_for: Request) -> None:
    first, second, third = (engine.put(request_for(attempt=attempt)) for attempt in (1, 2, 3))
    assert [position(engine, key) for key in (first, second, third)] == [1, 2, 3]
    answer = engine.post(f"/v1/jobs/{third}/priority", {"priority": "stat"})
    assert fault("job_status", answer.json()) is None
    assert answer.json()["waiting"] == {"position": 1, "priority": "stat"}
    assert answer.json()["request"]["priority"] == "stat"
    engine.post(f"/v1/jobs/{first}/priority", {"priority": "night"})
    listed = {job["key"]: job["waiting"]["position"] for job in engine.client.get("/v1/jobs").json()["jobs"]}
    assert listed == {third: 1, second: 2, first: 3}
    (line, _) = audited(engine, "moved")
    assert (line["job"], line["priority"]) == (third, "stat")
    engine.start_worker()
    ended = [engine.wait(key, "succeeded")["updated_at"] for key in (third, second, first)]
    assert ended == sorted(ended)


def test_a_job_that_does_not_wait_cannot_be_moved(engine: Engine, request_for: Request) -> None:
    key, moved = engine.put(request_for()), {"priority": "stat"}
    engine.client.delete(f"/v1/jobs/{key}")
    assert "cancelled" in refusal(engine.post(f"/v1/jobs/{key}/priority", moved), 409, "not-queued")
    engine.hold("stage1")
    running = engine.put(request_for(attempt=2))
    engine.start_worker()
    engine.wait_for_stage(running, "stage1", "running")
    assert "running" in refusal(engine.post(f"/v1/jobs/{running}/priority", moved), 409, "not-queued")
    assert engine.status(running)["request"]["priority"] == "normal"
    assert "waiting" not in engine.status(running)
    refusal(engine.post(f"/v1/jobs/{'0' * 32}/priority", moved), 404, "not-found")
    refusal(engine.post(f"/v1/jobs/{key}/priority", {"priority": "now"}), 422, "bad-request")
    engine.release("stage1")


# Release


def test_a_failed_job_can_be_released_and_is_done_under_its_own_name(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.control.mkdir(exist_ok=True)
    (engine.control / "fail-stage2").write_text("broken")
    engine.start_worker()
    key = engine.put(request_for())
    assert engine.wait(key, "failed")["failure"]["code"] == "internal"
    (engine.control / "fail-stage2").unlink()
    refused = wait_for(lambda: engine.post(f"/v1/jobs/{key}/release"), what="an answer")
    while refused.status_code == 409:
        refusal(refused, 409, "still-ending")
        time.sleep(0.05)
        refused = engine.post(f"/v1/jobs/{key}/release")
    assert fault("job_status", refused.json()) is None
    assert refused.json()["state"] == "queued"
    assert "failure" not in refused.json()
    engine.wait(key, "succeeded")
    assert len(archive.derived(SERIES)) == 1
    assert [line["job"] for line in audited(engine, "released")] == [key]
    assert "succeeded" in refusal(engine.post(f"/v1/jobs/{key}/release"), 409, "not-failed")
    refusal(engine.post(f"/v1/jobs/{'0' * 32}/release"), 404, "not-found")


def test_a_job_that_failed_while_storing_cannot_be_released(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    archive.fail_store_after = 32
    engine.start_worker(NULLSPLAT_ARCHIVE_PATIENCE_SECONDS="0")
    key = engine.put(request_for(scale=(16, 1, 1)))
    engine.wait(key, "failed")
    assert "new attempt" in refusal(engine.post(f"/v1/jobs/{key}/release"), 409, "storing-began")
    assert engine.status(key)["state"] == "failed"


# Pause


def test_a_paused_queue_stays_so_over_restarts_and_lets_running_jobs_end(
    engine: Engine, request_for: Request
) -> None:
    engine.hold("stage2")
    worker = engine.start_worker()
    running = engine.put(request_for())
    engine.wait_for_stage(running, "stage2", "running")
    info = engine.post("/v1/queue/pause").json()
    assert fault("engine_info", info) is None
    assert engine.post("/v1/queue/pause").json()["paused_since"] == info["paused_since"] is not None
    assert len(audited(engine, "paused")) == 1
    waiting = engine.put(request_for(attempt=2))
    engine.release("stage2")
    engine.wait(running, "succeeded")
    engine.end(worker, signal.SIGTERM)
    engine.start_worker()  # registers the queue again, and it must stay paused
    wait_for(lambda: engine.client.get("/v1/engine").json()["workers"], what="the worker")
    time.sleep(1)  # it looks twenty times
    assert engine.status(waiting)["state"] == "queued"
    assert engine.post("/v1/queue/resume").json()["paused_since"] is None
    engine.wait(waiting, "succeeded")
    engine.post("/v1/queue/resume")
    assert len(audited(engine, "resumed")) == 1


def test_the_engine_tells_of_its_workers_and_what_they_do(engine: Engine, request_for: Request) -> None:
    engine.hold("stage1")
    key = engine.put(request_for())
    engine.start_worker(NULLSPLAT_EXECUTOR_ID="gpu0")
    engine.wait_for_stage(key, "stage1", "running")

    def known() -> list[dict[str, Any]]:
        info = engine.client.get("/v1/engine").json()
        assert fault("engine_info", info) is None
        return [worker for worker in info["workers"] if "device" in worker]

    (worker,) = wait_for(known, what="the worker")
    assert (worker["id"], worker["device"], worker["job"]) == ("gpu0", "CPU", key)
    engine.release("stage1")
    wait_for(lambda: known()[0]["job"] is None, what="an idle worker")


# Ageing


def line_of(*jobs: tuple[str, str, float]) -> list[Waiting]:
    """Own class, present class and age in hours, named by their place, the oldest first."""
    return [Waiting(str(place), own, now, 3600 * hours) for place, (own, now, hours) in enumerate(jobs)]


@pytest.mark.parametrize(
    ("waiting", "moved"),
    [
        ([("normal", "normal", 3.9)], {}),
        ([("normal", "normal", 4.0)], {"0": "stat"}),
        ([("night", "night", 9.0)], {"0": "normal"}),  # a class at a time
        ([("night", "normal", 7.9)], {}),
        ([("night", "normal", 8.0)], {"0": "stat"}),
        ([("stat", "stat", 99.0)], {}),
        # Of a backlog the oldest only, and nobody while one is on its way.
        ([("normal", "normal", 9.0), ("normal", "normal", 8.0), ("stat", "stat", 1.0)], {"0": "stat"}),
        ([("normal", "stat", 9.0), ("normal", "normal", 8.0), ("stat", "stat", 1.0)], {}),
        ([("normal", "normal", 9.0), ("night", "night", 8.0)], {"0": "stat", "1": "normal"}),
        # What a person put lower than age did is not age's.
        ([("night", "night", 1.0)], {}),
    ],
)
def test_age_moves_up_one_job_a_class(waiting: list[tuple[str, str, float]], moved: dict[str, str]) -> None:
    assert promotions(line_of(*waiting), 4 * 3600.0) == moved


@pytest.mark.parametrize(
    ("waiting", "moved"),
    [
        # One that age brought there is worked on: first those that belong there, then the next of the backlog.
        ([("normal", "normal", 9.0), ("stat", "stat", 1.0)], {}),
        ([("normal", "normal", 9.0)], {"0": "stat"}),
        ([("normal", "normal", 9.0), ("stat", "stat", 1.0), ("night", "night", 9.0)], {"2": "normal"}),
    ],
)
def test_an_old_job_leaves_the_next_turn_to_an_urgent_one(
    waiting: list[tuple[str, str, float]], moved: dict[str, str]
) -> None:
    assert promotions(line_of(*waiting), 4 * 3600.0, {"stat"}) == moved


def test_an_old_backlog_leaves_urgent_jobs_every_other_turn(engine: Engine, request_for: Request) -> None:
    """Sweeps are more frequent than jobs, so that without this the oldest of the backlog always stood first again."""
    engine.pace()
    old = [engine.put(request_for(attempt=attempt, seed=700)) for attempt in range(1, 6)]
    with engine.database() as connection:
        connection.execute(sa.text("UPDATE workflow_status SET created_at = 0"))
    urgent = [engine.put(request_for(attempt=attempt, seed=700, priority="stat")) for attempt in (6, 7)]
    engine.start_worker(SWEEPING_OFTEN, NULLSPLAT_AGEING_SECONDS="3600")
    ended = {key: engine.wait(key, "succeeded")["updated_at"] for key in (*old, *urgent)}
    order = sorted(ended, key=lambda key: ended[key])
    assert order.index(urgent[1]) <= 3, [key in urgent for key in order]
    assert any(key in old for key in order[:3]), "nor does the backlog wait until nothing is urgent"


def test_a_steady_stream_of_urgent_jobs_does_not_starve_the_others(
    engine: Engine, request_for: Request
) -> None:
    patient = [
        engine.put(request_for(attempt=number, priority=p)) for number, p in ((1, "normal"), (2, "night"))
    ]
    attempt = 10
    engine.start_worker(SWEEPING_OFTEN, NULLSPLAT_AGEING_SECONDS="1")
    deadline = time.monotonic() + PATIENCE
    while {engine.status(key)["state"] for key in patient} != {"succeeded"}:
        assert time.monotonic() < deadline, [engine.status(key) for key in patient]
        queued = engine.client.get("/v1/engine").json()["queue"]["queued"]
        for _ in range(max(0, 6 - queued)):  # there is always something urgent
            engine.put(request_for(attempt=attempt, priority="stat"))
            attempt += 1
        time.sleep(0.1)


def test_no_age_counts_where_ageing_is_off(engine: Engine, request_for: Request) -> None:
    key = engine.put(request_for(priority="night"))
    with engine.database() as connection:
        connection.execute(sa.text("UPDATE workflow_status SET created_at = 0"))
    engine.post("/v1/queue/pause")
    worker = engine.start_worker(SWEEPING_OFTEN, NULLSPLAT_AGEING_SECONDS="0")
    wait_for(lambda: "is ready" in engine.worker_log, what="the worker")
    time.sleep(1)  # it looks three times
    assert engine.status(key)["waiting"]["priority"] == "night"
    engine.end(worker)
    engine.start_worker(SWEEPING_OFTEN)
    wait_for(lambda: engine.status(key)["waiting"]["priority"] == "stat", what="the highest class")
    assert engine.status(key)["request"]["priority"] == "night"


# Whose job it is


def test_a_worker_that_lost_its_job_cannot_change_it(engine: Engine, request_for: Request) -> None:
    key = engine.put(request_for())
    database = open_database(engine.environment["NULLSPLAT_DATABASE_URL"])
    mine, successor = JobStore(database, "mine"), JobStore(database, "successor")
    with engine.database() as connection:
        connection.execute(
            sa.text("UPDATE workflow_status SET status = 'PENDING', executor_id = 'successor'")
        )
    assert not mine.begin(key)
    assert successor.begin(key)
    assert not mine.report(key, [], 0.5, None)
    assert not mine.begin_storing(key)
    assert not mine.fail(key, {"code": "internal", "message": "", "retryable": False})
    assert successor.begin_storing(key)
    assert engine.status(key)["state"] == "running"
    database.dispose()

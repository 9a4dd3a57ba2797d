"""Whatever is killed meanwhile, each job ends once and right."""

import contextlib
import io
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import SERIES
from tests.support.service.engine import Engine, wait_for

from nullsplat.service.worker.workflow import MAX_ATTEMPTS

Request = Callable[..., dict[str, Any]]
ONCE = ["prepare", "stage1", "stage2", "consistency", "derive"]


def test_a_job_ends_as_a_derived_series_in_the_archive(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.start_worker()
    key = engine.put(request_for())
    status = engine.wait(key, "succeeded", "failed")
    assert status["state"] == "succeeded", engine.worker_log
    (uid,) = archive.derived(SERIES)
    assert status["result"]["series_instance_uid"] == uid
    assert set(status["result"]["sop_instance_uids"]) == set(archive.instances[uid])
    assert len(archive.instances[uid]) == 12
    first = pydicom.dcmread(io.BytesIO(next(iter(archive.instances[uid].values()))))
    assert first.ImageType[0] == "DERIVED"
    assert status["progress"] == 1.0
    assert all(stage["state"] == "done" for stage in status["stages"])


def test_a_finished_job_leaves_its_figures_and_no_images(engine: Engine, request_for: Request) -> None:
    engine.start_worker()
    key = engine.put(request_for())
    engine.wait(key, "succeeded")
    folder = engine.spool / "jobs" / key
    wait_for((folder / "figures.json").exists, what="the figures")
    assert not list(folder.rglob("*.dcm"))
    assert not list(folder.rglob("*.npy"))
    assert (folder / "report.json").exists()


def test_a_worker_killed_in_stage_2_is_taken_over_without_repeating_stage_1(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    key = engine.killed_in("stage2", request_for())
    engine.release("stage2")
    engine.start_worker()
    status = engine.wait(key, "succeeded", "failed")
    assert status["state"] == "succeeded", engine.worker_log
    assert engine.calls() == ["prepare", "stage1", "stage2", "stage2", "consistency", "derive"]
    assert len(archive.derived(SERIES)) == 1
    assert len(archive.stored) == len(set(archive.stored)) == 12


def test_a_worker_killed_while_storing_is_taken_over_without_storing_twice(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    archive.seconds_per_store = 0.5
    victim = engine.start_worker()
    key = engine.put(request_for(scale=(16, 1, 1)))  # 96 instances, three chunks
    wait_for(lambda: len(archive.stored) >= 32, what="the first chunk")
    engine.end(victim)
    engine.start_worker()
    assert engine.wait(key, "succeeded", "failed")["state"] == "succeeded"
    (files,) = archive.derived(SERIES).values()
    assert len(files) == 96
    assert engine.calls() == ONCE
    assert len(archive.stored) <= 96 + 32  # at most the chunk that was under way when the worker died


def test_a_living_worker_takes_over_from_a_dead_one(engine: Engine, request_for: Request) -> None:
    engine.hold("stage2")
    victim = engine.start_worker()
    key = engine.put(request_for())
    engine.wait_for_stage(key, "stage2", "running")
    engine.start_worker()
    engine.end(victim)
    engine.release("stage2")
    assert engine.wait(key, "succeeded", "failed")["state"] == "succeeded"


def test_two_workers_share_the_queue_without_doing_anything_twice(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    for _ in range(2):
        engine.start_worker()
    keys = [engine.put(request_for(attempt=attempt)) for attempt in (1, 2, 3, 4)]
    for key in keys:
        engine.wait(key, "succeeded")
    assert sorted(engine.calls()) == sorted(ONCE * 4)
    assert len(archive.derived(SERIES)) == 4


def test_a_worker_told_to_stop_leaves_at_once_and_its_job_goes_on_later(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.hold("stage2")
    key = engine.put(request_for())
    for _ in range(MAX_ATTEMPTS + 1):  # stopping on purpose is never held against the job
        worker = engine.start_worker()
        engine.wait_for_stage(key, "stage2", "running")
        wait_for(lambda: engine.status(key)["stages"][2]["progress"] == 0.5, what="progress")
        assert engine.end(worker, signal.SIGTERM) == 0
        reset_progress(engine, key)
    engine.release("stage2")
    engine.start_worker()
    assert engine.wait(key, "succeeded", "failed")["state"] == "succeeded"
    assert engine.calls().count("stage1") == 1
    assert len(archive.derived(SERIES)) == 1


def test_a_draining_worker_ends_its_job_and_begins_no_other(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.hold("stage2")
    worker = engine.start_worker(NULLSPLAT_DRAIN_SECONDS="600")
    mine, next_one = engine.put(request_for(attempt=1)), engine.put(request_for(attempt=2))
    engine.wait_for_stage(mine, "stage2", "running")
    os.kill(worker, signal.SIGTERM)
    wait_for(lambda: "the running job may go on for 600 s" in engine.worker_log, what="the order to stop")
    engine.release("stage2")
    assert engine.wait_for_end(worker) == 0
    assert engine.status(mine)["state"] == "succeeded"
    assert engine.status(next_one)["state"] == "queued"
    assert engine.calls() == ONCE
    engine.start_worker()
    engine.wait(next_one, "succeeded")
    assert engine.calls() == ONCE * 2
    assert len(archive.derived(SERIES)) == 2


@pytest.mark.parametrize("seconds", ["0.5", "600"], ids=["at its end", "told twice"])
def test_a_job_that_outlasts_draining_is_handed_back(
    engine: Engine, request_for: Request, seconds: str
) -> None:
    engine.hold("stage2")
    worker = engine.start_worker(NULLSPLAT_DRAIN_SECONDS=seconds)
    key = engine.put(request_for())
    engine.wait_for_stage(key, "stage2", "running")
    os.kill(worker, signal.SIGTERM)
    wait_for(lambda: "may go on for" in engine.worker_log, what="the order to stop")
    if seconds == "600":
        os.kill(worker, signal.SIGTERM)
    assert engine.wait_for_end(worker) == 0
    engine.release("stage2")
    engine.start_worker()
    engine.wait(key, "succeeded")
    assert engine.calls().count("stage1") == 1


def test_an_idle_worker_stops_cleanly(engine: Engine) -> None:
    worker = engine.start_worker(NULLSPLAT_DRAIN_SECONDS="600")
    wait_for(lambda: engine.client.get("/readyz").json()["checks"]["worker"] == "ok", what="the worker")
    assert engine.end(worker, signal.SIGTERM) == 0


def test_a_job_that_takes_its_worker_down_each_time_is_given_up(engine: Engine, request_for: Request) -> None:
    engine.hold("stage2")
    key = engine.put(request_for())
    for lost in range(1, MAX_ATTEMPTS + 1):
        worker = engine.start_worker()
        wait_for(lambda lost=lost: engine.calls().count("stage2") == lost, what="stage 2")
        engine.end(worker)
    engine.start_worker()
    status = engine.wait(key, "failed")
    assert status["failure"]["code"] == "worker-lost"
    assert engine.calls().count("stage2") == MAX_ATTEMPTS
    # The worker lives on and does other jobs.
    engine.release("stage2")
    engine.wait(engine.put(request_for(attempt=2)), "succeeded")


def test_a_job_of_another_version_of_the_workflow_is_restarted(engine: Engine, request_for: Request) -> None:
    key = engine.put(request_for())
    with engine.database() as connection:
        connection.execute(sa.text("UPDATE workflow_status SET application_version = '0'"))
    engine.start_worker()
    assert engine.wait(key, "succeeded", "failed")["state"] == "succeeded"
    assert engine.calls() == ONCE


def test_stages_whose_files_are_gone_are_done_again(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    key = engine.killed_in("stage2", request_for())
    shutil.rmtree(engine.spool / "jobs" / key)
    engine.release("stage2")
    engine.start_worker()
    assert engine.wait(key, "succeeded", "failed")["state"] == "succeeded"
    assert engine.calls() == ["prepare", "stage1", "stage2", *ONCE]
    assert len(archive.derived(SERIES)) == 1


def test_files_lost_while_storing_are_not_re_created(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    archive.fail_store_after = 32
    victim = engine.start_worker()
    key = engine.put(request_for(scale=(16, 1, 1)))
    wait_for(lambda: len(archive.stored) >= 32, what="the first chunk")
    engine.end(victim)
    shutil.rmtree(engine.turn(key).derived)
    engine.start_worker()
    status = engine.wait(key, "succeeded", "failed")
    assert status["failure"]["code"] == "mixed-runs"
    assert len(archive.stored) == 32


def test_a_worker_talks_to_its_archive_and_its_database_only(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    worker = engine.start_worker()
    engine.hold("stage1")
    key = engine.put(request_for())
    engine.wait_for_stage(key, "stage1", "running")
    assert {address for address, _ in connections(worker)} <= {"0100007F"}
    assert {port for _, port in connections(worker)} <= {
        archive.port,
        sa.make_url(engine.environment["NULLSPLAT_DATABASE_URL"]).port,
    }
    assert "dbos.dev" not in engine.worker_log
    engine.release("stage1")


def connections(process: int) -> set[tuple[str, int]]:
    """Remote address (as /proc writes it) and port of each TCP connection of a process."""
    sockets, found = set(), set()
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(str(entry.readlink()))
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in sockets:
                address, port = fields[2].split(":")
                found.add((address, int(port, 16)))
    return found


def test_two_workers_of_one_name_are_refused(engine: Engine) -> None:
    engine.start_worker(NULLSPLAT_EXECUTOR_ID="gpu0")
    wait_for(lambda: engine.client.get("/readyz").json()["checks"]["worker"] == "ok", what="the worker")
    engine.start_worker(NULLSPLAT_EXECUTOR_ID="gpu0")
    wait_for(lambda: "a worker called gpu0 is running already" in engine.worker_log, what="the refusal")


def test_a_worker_of_the_same_name_takes_over_after_a_kill(engine: Engine, request_for: Request) -> None:
    key = engine.killed_in("stage2", request_for(), NULLSPLAT_EXECUTOR_ID="gpu0")
    engine.release("stage2")
    engine.start_worker(NULLSPLAT_EXECUTOR_ID="gpu0")
    assert engine.wait(key, "succeeded", "failed")["state"] == "succeeded"
    assert engine.calls().count("stage1") == 1


def reset_progress(engine: Engine, key: str) -> None:
    """Make the next worker's progress distinguishable from the last one's."""
    with engine.database() as connection:
        stages = engine.status(key)["stages"]
        stages[2]["progress"] = 0.0
        table = sa.table("nullsplat_jobs", sa.column("stages", sa.JSON), sa.column("key"))
        connection.execute(sa.update(table).where(table.c.key == key).values(stages=stages))

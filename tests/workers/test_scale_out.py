"""Several machines around one PostgreSQL: every job is done exactly once, whoever is killed or slow.

The machines are processes here: each worker has a spool, a host name and a GPU of its own as far as it knows, so that only
the database tells one of another, as between machines.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import SERIES
from tests.support.service.engine import Engine, wait_for
from tests.support.service.postgres import PostgresServer

from nullsplat.core.errors import ConfigurationError, StorageError
from nullsplat.node.processes import free_port
from nullsplat.service.database.schema import open_database

Request = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.slow
JOBS = 50
LOST_AFTER = 5.0
PATIENCE = 400.0


@pytest.fixture
def database_url(postgres: PostgresServer) -> str:
    return postgres.url()


def start_machine(engine: Engine, number: int, **environment: str) -> int:
    return engine.start_worker(
        {
            "nullsplat.service.queue.workers.host_name": f"machine-{number}",
            "nullsplat.service.worker.process.gpu_name": f"GPU-{number}",
        },
        NULLSPLAT_EXECUTOR_ID=f"worker-{number}",
        NULLSPLAT_SPOOL=str(engine.folder / f"spool-{number}"),
        NULLSPLAT_WORKER_LOST_SECONDS=str(LOST_AFTER),
        **environment,
    )


def start_sharing(engine: Engine, number: int) -> int:
    """A machine whose jobs' files are on a volume that all machines share."""
    return start_machine(engine, number, NULLSPLAT_SHARED_SPOOL=str(engine.folder / "shared"))


def shared_files(engine: Engine, key: str) -> dict[str, tuple[int, int]]:
    """What another machine could have changed of a job's files: names, sizes and times."""
    folder = engine.folder / "shared" / "jobs" / key
    found = {path: path.stat() for path in folder.rglob("*")}
    return {str(path.relative_to(folder)): (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


def working(engine: Engine) -> dict[str, str]:
    """The job of each worker that has one."""
    workers = engine.client.get("/v1/engine").json()["workers"]
    return {worker["id"]: worker["job"] for worker in workers if worker["job"]}


def audited(engine: Engine, what: str) -> list[str]:
    """The jobs of which the machines' audit files tell this."""
    lines = [
        json.loads(line)
        for path in engine.folder.glob("spool-*/audit.jsonl")
        for line in path.read_text().splitlines()
    ]
    return sorted(line["job"] for line in lines if line["what"] == what)


def test_fifty_jobs_on_three_machines_are_done_once_each_though_one_is_killed(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.hold("stage2")
    machines = {f"worker-{number}": start_machine(engine, number) for number in (1, 2, 3)}
    keys = [engine.put(request_for(attempt=attempt)) for attempt in range(1, JOBS + 1)]
    wait_for(lambda: engine.calls().count("stage2") == 3, what="three jobs in stage 2")
    before = working(engine)
    assert set(before) == set(machines)
    engine.end(machines.pop("worker-1"), signal.SIGKILL)
    # The other two are slow, for longer than the dead one is waited for, and keep what they have.
    wait_for(lambda: "worker-1" not in working(engine), what="that the dead worker is given up")
    time.sleep(LOST_AFTER)
    assert working(engine) == {name: key for name, key in before.items() if name != "worker-1"}
    engine.release("stage2")
    wait_for(
        lambda: engine.client.get("/v1/jobs?state=succeeded").json()["jobs"][JOBS - 1 :],
        PATIENCE,
        "50 results",
    )
    # A job has its last state before its last line.
    wait_for(lambda: audited(engine, "finished") == sorted(keys), what="the last line of each job")
    assert audited(engine, "stored") == sorted(keys)
    assert audited(engine, "started") == sorted([*keys, before["worker-1"]])
    assert {len(files) for files in archive.derived(SERIES).values()} == {12}
    assert len(archive.derived(SERIES)) == JOBS
    assert len(archive.stored) == len(set(archive.stored)) == 12 * JOBS
    assert_one_job_at_a_time(engine, machines.values())


def assert_one_job_at_a_time(engine: Engine, workers: Any) -> None:
    spans = [line.split() for line in (engine.control / "spans.log").read_text().splitlines()]
    for worker in workers:
        own = sorted((float(begin), float(end)) for pid, begin, end in spans if int(pid) == worker)
        assert len(own) > 3
        assert all(end <= begin for (_, end), (begin, _) in pairwise(own))


def test_a_machine_that_was_cut_off_cannot_disturb_who_took_over(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.hold("stage2")
    cut_off = start_machine(engine, 1)
    key = engine.put(request_for())
    wait_for(lambda: working(engine) == {"worker-1": key}, what="the first worker at work")
    wait_for(lambda: engine.calls().count("stage2") == 1, what="stage 2")
    os.kill(cut_off, signal.SIGSTOP)
    start_machine(engine, 2)
    wait_for(lambda: engine.calls().count("stage2") == 2, what="stage 2 at the second machine")
    os.kill(cut_off, signal.SIGCONT)
    wait_for(lambda: "was presumed dead" in engine.worker_log, what="that it notices")
    engine.release("stage2")
    engine.wait(key, "succeeded")
    wait_for(lambda: audited(engine, "finished") == [key], what="the last line of the job")
    assert audited(engine, "stored") == [key]
    assert len(archive.stored) == len(set(archive.stored)) == 12
    # And it is of use again.
    keys = [engine.put(request_for(attempt=attempt)) for attempt in range(2, 10)]
    wait_for(lambda: len(archive.derived(SERIES)) == 9, PATIENCE, "the other jobs")
    for other in keys:
        engine.wait(other, "succeeded")


def test_a_job_taken_over_on_a_shared_spool_goes_on_after_its_last_finished_stage(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.hold("stage2")
    victim = start_sharing(engine, 1)
    key = engine.put(request_for())
    wait_for(lambda: engine.calls().count("stage2") == 1, what="stage 2")
    start_sharing(engine, 2)
    engine.end(victim, signal.SIGKILL)
    engine.release("stage2")
    engine.wait(key, "succeeded")
    assert engine.calls() == ["prepare", "stage1", "stage2", "stage2", "consistency", "derive"]
    assert len(archive.stored) == len(set(archive.stored)) == 12
    wait_for(lambda: "figures.json" in shared_files(engine, key), what="the end of the job")
    assert not [name for name in shared_files(engine, key) if not name.endswith(".json")]
    assert audited(engine, "started") == audited(engine, "finished") == [key]


def test_a_machine_that_was_cut_off_changes_nothing_on_a_shared_spool(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    """It sleeps in the middle of a stage, wakes up when its job is another's, and goes on before it asks."""
    engine.control.mkdir(exist_ok=True)
    (engine.control / "stuck-stage2").touch()
    engine.hold("consistency")
    cut_off = start_sharing(engine, 1)
    key = engine.put(request_for())
    wait_for(lambda: engine.calls().count("stage2") == 1, what="stage 2")
    os.kill(cut_off, signal.SIGSTOP)
    start_sharing(engine, 2)
    wait_for(lambda: engine.calls().count("stage2") == 2, what="stage 2 at the second machine")
    (engine.control / "stuck-stage2").unlink()
    wait_for(lambda: engine.calls().count("consistency") == 1, what="the next stage there")
    before = shared_files(engine, key)
    assert any(name.endswith("work/stage2.npy") for name in before)
    os.kill(cut_off, signal.SIGCONT)
    other = engine.put(request_for(attempt=2))
    wait_for(lambda: engine.calls().count("prepare") == 2, PATIENCE, "another job at the first machine")
    assert shared_files(engine, key) == before
    engine.release("consistency")
    for one in (key, other):
        engine.wait(one, "succeeded")
    assert engine.calls().count("stage1") == 2
    assert len(archive.stored) == len(set(archive.stored)) == 24
    assert audited(engine, "stored") == sorted([key, other])


def test_what_is_wrong_with_the_database_is_said(postgres: PostgresServer) -> None:
    good = postgres.url()
    wrong = good.replace(":a-password-for-tests@", ":wrong-password@")
    with pytest.raises(
        ConfigurationError, match="correct user and password in NULLSPLAT_DATABASE_URL"
    ) as refused:
        open_database(wrong)
    assert "wrong-password" not in str(refused.value)
    with pytest.raises(ConfigurationError, match='database "nothing" does not exist; create it'):
        open_database(good.rpartition("/")[0] + "/nothing")
    with pytest.raises(StorageError, match=r"refused.*start the server, or correct host and port"):
        open_database(good.replace(f":{postgres.port}/", f":{free_port()}/"))
    with pytest.raises(StorageError, match="correct the host in NULLSPLAT_DATABASE_URL"):
        open_database(good.replace("@127.0.0.1", "@nowhere.invalid"))


def test_a_missing_driver_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match="pip install 'psycopg"):
        open_database("postgresql://nobody@127.0.0.1/nothing")

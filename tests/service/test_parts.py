"""The small parts of the service, each by itself."""

import errno
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa

from nullsplat.core.errors import Cancelled, ConfigurationError, IneligibleSeries, StorageError, TimedOut
from nullsplat.core.measure import Cost
from nullsplat.service.api.server import listening_socket
from nullsplat.service.contract.messages import STAGES
from nullsplat.service.database.schema import open_database
from nullsplat.service.database.tables import transaction
from nullsplat.service.folders import MIB, JobFolder, bytes_needed, require_space
from nullsplat.service.logs import JsonFormatter
from nullsplat.service.queue.jobs import JobStore, insert_job, waiting_stages
from nullsplat.service.queue.workers import Identity, Registry, this_process
from nullsplat.service.tracebacks import traceback_text
from nullsplat.service.worker.eta import FIRST_GUESS, learn_weights, overall, remaining
from nullsplat.service.worker.failures import as_failure
from nullsplat.service.worker.progress import StageReporter, StopSignal


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Iterator[sa.Engine]:
    path = tmp_path / "nullsplat.sqlite"
    path.write_bytes(empty_database.read_bytes())
    engine = open_database(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def store(database: sa.Engine) -> JobStore:
    with transaction(database) as connection:
        insert_job(connection, "k", {"parameters": {"preset": "preview"}})
    return JobStore(database)


def reporter(store: JobStore, stage: str = "fetch", limit: float = 60.0) -> StageReporter:
    store.begin("k")
    reporter = StageReporter(store, "k", stage, waiting_stages(), learn_weights([]), limit)
    reporter.start(Cost(peak_memory_mib=12.0))
    return reporter


# Progress


def test_progress_is_not_written_more_than_twice_a_second(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = reporter(store)
    written: list[float] = []
    monkeypatch.setattr(store, "report", lambda *arguments: written.append(arguments[2]) or True)
    for step in range(1000):
        report(step / 1000)
    assert len(written) <= 2


def test_the_end_of_a_stage_is_always_written(store: JobStore) -> None:
    report = reporter(store)
    report(0.9, "almost")
    report.finish()
    job = store.get("k")
    assert job is not None
    assert job.stages[0]["state"] == "done"
    assert job.stages[0]["progress"] == 1.0
    assert job.stages[0]["peak_memory_mib"] == 12.0


def test_a_cancelled_job_hears_of_it_at_its_next_report(store: JobStore) -> None:
    report = reporter(store)
    assert store.cancel("k")
    with pytest.raises(Cancelled):
        report.finish()


def test_a_stage_over_its_limit_is_stopped(store: JobStore) -> None:
    report = reporter(store, limit=1e-9)
    with pytest.raises(TimedOut, match="NULLSPLAT_FETCH_LIMIT_SECONDS"):
        report(0.5)


def test_work_goes_on_while_the_database_is_away(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    report = reporter(store)

    def away(*_arguments: object) -> bool:
        raise StorageError("away")

    monkeypatch.setattr(store, "report", away)
    report.finish()


def test_stages_before_a_running_one_are_done(store: JobStore) -> None:
    reporter(store, "derive")
    job = store.get("k")
    assert job is not None
    assert [stage["state"] for stage in job.stages] == ["done"] * 4 + ["running", "waiting"]


def test_nothing_is_parked_that_was_not_asked_to_stop() -> None:
    stop = StopSignal()
    with stop.busy("k"):
        stop.suspend_if_requested("k")
    assert stop.suspended_jobs(0) == frozenset()


# Time left


def test_first_guess_covers_every_stage() -> None:
    assert set(FIRST_GUESS) == set(STAGES)
    assert sum(learn_weights([]).values()) == pytest.approx(1)


def test_weights_are_the_mean_shares_of_finished_jobs() -> None:
    fast = [{"name": name, "progress": 1.0, "seconds": 1.0} for name in STAGES]
    slow = [{"name": name, "progress": 1.0, "seconds": 600.0 if name == "stage2" else 0.0} for name in STAGES]
    weights = learn_weights([fast, slow])
    assert weights["stage2"] == pytest.approx((1 / 6 + 1) / 2)
    assert sum(weights.values()) == pytest.approx(1)


def test_weights_of_jobs_without_times_are_the_first_guess() -> None:
    assert learn_weights([waiting_stages()]) == learn_weights([])


def test_a_steady_job_knows_its_end() -> None:
    weights = dict.fromkeys(STAGES, 1 / 6)
    stages = waiting_stages()
    for stage in stages[:3]:
        stage.update(progress=1.0, seconds=10.0)
    assert overall(stages, weights) == pytest.approx(0.5)
    assert remaining(stages, weights) == pytest.approx(30.0)


def test_nobody_knows_the_end_at_the_beginning() -> None:
    assert remaining(waiting_stages(), learn_weights([])) is None


# Failures


def test_a_refusal_keeps_its_code_and_message(tmp_path: Path) -> None:
    failure = as_failure(IneligibleSeries("gantry-tilt", "tilted"), tmp_path)
    assert failure == {"code": "gantry-tilt", "message": "tilted", "retryable": False}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_cannot_be_written_is_worth_another_try(tmp_path: Path, number: int) -> None:
    failure = as_failure(OSError(number, os.strerror(number)), tmp_path, 10 * MIB)
    assert failure["code"] == "storage"
    assert failure["retryable"] is True
    assert "about 10 MB" in failure["message"]


def test_a_document_that_cannot_be_written_tells_how_much_room_the_job_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    folder = JobFolder(tmp_path / "job")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StorageError) as caught:
        folder.write("report.json", {})
    assert list(folder.path.iterdir()) == []
    failure = as_failure(caught.value, tmp_path, 10 * MIB)
    assert (failure["code"], failure["retryable"], "about 10 MB" in failure["message"]) == (
        "storage",
        True,
        True,
    )


def test_an_unforeseen_error_does_not_tell_its_text(tmp_path: Path) -> None:
    failure = as_failure(ValueError("DOE^JANE"), tmp_path)
    assert failure["code"] == "internal"
    assert "DOE" not in failure["message"]
    assert "ValueError" in failure["message"]


def test_the_log_does_not_quote_what_a_dicom_library_quotes() -> None:
    value = "DOE^JANE"
    with pytest.raises(ValueError, match="DOE") as caught:
        pydicom.valuerep.DSfloat(value)
    assert "DOE" not in traceback_text(caught.value)
    assert "ValueError" in traceback_text(caught.value)


def test_the_log_tells_the_text_of_our_own_errors() -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("what happened")
    assert "RuntimeError: what happened" in traceback_text(caught.value)


# Folders


def test_space_is_needed_for_source_and_result() -> None:
    assert bytes_needed(1000, (1, 1, 1)) < bytes_needed(1000, (4, 1, 1)) < bytes_needed(1000, (4, 2, 2))
    assert bytes_needed(1000, (4, 1, 1), samples=2) - bytes_needed(1000, (4, 1, 1)) == 4000 * 8


def test_too_little_space_is_told_in_figures(tmp_path: Path) -> None:
    require_space(tmp_path, 0, 0)
    with pytest.raises(StorageError, match=r"needs 1048576 MB beside a reserve of 7 MB.* MB free"):
        require_space(tmp_path, 2**40, 7)


def test_a_partial_folder_begins_empty(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    (folder.partial(folder.source) / "old").touch()
    assert list(folder.partial(folder.source).iterdir()) == []


def test_discarding_images_keeps_documents(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    for image in (folder.source, folder.work, folder.derived, folder.partial(folder.derived)):
        image.mkdir(parents=True, exist_ok=True)
    folder.write("report.json", {"a": 1})
    folder.discard_images()
    assert [path.name for path in folder.path.iterdir()] == ["report.json"]
    assert folder.read("report.json") == {"a": 1}


# Workers


def test_this_process_is_alive_and_a_later_one_of_its_number_is_not_it(database: sa.Engine) -> None:
    registry, me = Registry(database), this_process(None)
    reborn = Identity("reborn", me.host, me.boot_id, me.pid, "1")
    rebooted = Identity("rebooted", me.host, "another boot", me.pid, me.process_start)
    for identity in (me, reborn, rebooted):
        registry.enter(identity)
    assert registry.alive() == {me.executor_id}


def test_an_ended_process_is_dead_at_once_even_unreaped(database: sa.Engine) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    me = this_process(None)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    registry = Registry(database)
    registry.enter(
        Identity(
            "child", me.host, me.boot_id, child.pid, Path(f"/proc/{child.pid}/stat").read_text().split()[21]
        )
    )
    assert registry.alive() == set()
    child.wait()


def test_a_worker_elsewhere_lives_as_long_as_it_says_so(database: sa.Engine) -> None:
    registry, far = Registry(database), Identity("far", "another-host", "b", 1, "1")
    registry.enter(far)
    assert registry.alive() == {"far"}
    with transaction(database) as connection:
        connection.execute(sa.text("UPDATE nullsplat_workers SET seen = seen - 61"))
    assert registry.alive() == set()


def test_a_name_can_be_used_again_when_its_worker_is_dead(database: sa.Engine) -> None:
    registry, me = Registry(database), this_process("gpu0")
    registry.enter(Identity("gpu0", me.host, me.boot_id, me.pid, "1"))
    registry.enter(me)
    with pytest.raises(ConfigurationError, match="NULLSPLAT_EXECUTOR_ID"):
        registry.enter(Identity("gpu0", "another-host", "b", 1, "1"))
    registry.enter(me)  # the same process, restarted in place
    registry.leave(me)
    assert registry.alive() == set()


def test_a_gpu_has_one_living_worker(database: sa.Engine) -> None:
    registry, me = Registry(database), this_process("first")
    dead = Identity("dead", me.host, me.boot_id, me.pid, "1")
    registry.enter(dead, "GPU-1")
    registry.enter(me, "GPU-1")  # nobody has to wait for the dead
    far = Identity("second", "another-host", "b", 1, "1")
    with pytest.raises(ConfigurationError, match=r"worker first .* CUDA_VISIBLE_DEVICES"):
        registry.enter(far, "GPU-1")
    assert registry.alive() == {"first"}
    registry.enter(far, "GPU-2")
    registry.leave(me)
    registry.enter(Identity("third", "another-host", "b", 2, "2"), "GPU-1")


def test_a_worker_presumed_dead_is_alive_again_at_its_next_heartbeat(
    database: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    registry, far = Registry(database), Identity("far", "another-host", "b", 1, "1")
    registry.enter(far)
    with transaction(database) as connection:
        connection.execute(sa.text("UPDATE nullsplat_workers SET seen = seen - 61"))
    assert registry.alive() == set()
    registry.beat(far)
    assert registry.alive() == {"far"}
    assert "presumed dead" in caplog.text


def test_what_counts_as_silence_can_be_set(database: sa.Engine) -> None:
    Registry(database).enter(Identity("far", "another-host", "b", 1, "1"))
    with transaction(database) as connection:
        connection.execute(sa.text("UPDATE nullsplat_workers SET seen = seen - 61"))
    assert Registry(database, 120.0).alive() == {"far"}


# Database


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "sqlite://"])
def test_a_database_that_cannot_be_used_is_named_by_its_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match="NULLSPLAT_DATABASE_URL"):
        open_database(url)


def test_a_database_that_cannot_be_opened_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="unable to open database file"):
        open_database(f"sqlite:///{tmp_path / 'nowhere' / 'x.sqlite'}")


def test_a_database_is_made_once_by_several_at_the_same_moment(tmp_path: Path) -> None:
    script = f"from nullsplat.service.database.schema import open_database; open_database('sqlite:///{tmp_path}/x.sqlite')"
    children = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]


# Log


def test_log_lines_are_json_with_the_jobs_key() -> None:
    record = logging.LogRecord("nullsplat", logging.INFO, __file__, 1, "stage is %s", ("done",), None)
    record.job = "abc"
    entry = json.loads(JsonFormatter().format(record))
    assert (entry["event"], entry["job"], entry["level"]) == ("stage is done", "abc", "INFO")


def test_warnings_are_logged_without_what_they_quote() -> None:
    script = (
        "import sys, warnings; from nullsplat.service.logs import configure_logging;"
        "configure_logging('INFO', 'json'); warnings.warn('invalid value DOE^JANE')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", script], capture_output=True, text=True, check=True
    )
    assert "DOE" not in done.stderr
    assert json.loads(done.stderr)["event"].startswith("UserWarning at ")


# Address


def test_an_address_that_is_taken_is_named_by_its_settings() -> None:
    with listening_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port} .*in use.*NULLSPLAT_PORT"):
            listening_socket("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="NULLSPLAT_HOST"):
        listening_socket("192.0.2.1", 0)


def test_listening_beyond_this_machine_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    listening_socket("127.0.0.1", 0).close()
    assert not caplog.records
    listening_socket("0.0.0.0", 0).close()  # noqa: S104 - that is what is tested
    assert "without encryption" in caplog.text

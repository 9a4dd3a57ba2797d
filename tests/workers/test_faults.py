"""What goes wrong is named, nothing is left behind, and the node does its next job."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import PATIENT, SERIES, ct_series
from tests.support.service.engine import Engine, wait_for

Request = Callable[..., dict[str, Any]]


def failure_of(engine: Engine, key: str) -> dict[str, Any]:
    status = engine.wait(key, "failed", "succeeded")
    assert status["state"] == "failed", status
    folder = engine.spool / "jobs" / key
    wait_for((folder / "figures.json").exists, what="the end of the job")
    assert not list(folder.rglob("*.dcm"))
    assert not list(folder.rglob("*.part"))
    failure: dict[str, Any] = status["failure"]
    return failure


def stage_states(engine: Engine, key: str) -> dict[str, str]:
    return {stage["name"]: stage["state"] for stage in engine.status(key)["stages"]}


def test_a_series_that_changed_is_refused_before_it_is_fetched(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    request = request_for()
    archive.add(SERIES, {f"{SERIES}.99": next(iter(ct_series().values()))})
    engine.start_worker()
    failure = failure_of(engine, engine.put(request))
    assert failure["code"] == "source-changed"
    assert archive.retrieved == 0


def test_an_ineligible_series_keeps_the_reason_of_the_reader(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    del archive.instances[SERIES][f"{SERIES}.3"]
    engine.start_worker()
    key = engine.put(request_for())
    failure = failure_of(engine, key)
    assert failure["code"] == "missing-slice"
    assert failure["retryable"] is False
    assert stage_states(engine, key)["fetch"] == "failed"


def test_parameters_that_cannot_be_met_are_refused_before_anything_is_fetched(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.start_worker()
    assert failure_of(engine, engine.put(request_for(scale=(1, 1, 1))))["code"] == "configuration"
    assert archive.retrieved == 0


def test_a_job_waits_for_an_archive_that_is_away_and_says_so(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    archive.stop()
    key = engine.put(request_for())
    engine.start_worker()
    wait_for(lambda: "cannot be reached" in engine.status(key)["stages"][0].get("note", ""), what="the note")
    archive.start()
    assert engine.wait(key, "succeeded", "failed")["state"] == "succeeded"


def test_an_archive_that_stays_away_fails_the_job_as_worth_another_try(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    archive.away = True
    key = engine.put(request_for())
    engine.start_worker(NULLSPLAT_ARCHIVE_PATIENCE_SECONDS="1")
    failure = failure_of(engine, key)
    assert failure["code"] == "archive"
    assert failure["retryable"] is True
    assert "HTTP 503" in failure["message"]


def test_an_archive_that_breaks_down_while_storing_gets_the_rest_later(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    archive.fail_store_after = 32
    key = engine.put(request_for(scale=(16, 1, 1)))
    engine.start_worker()
    wait_for(lambda: "trying again" in engine.status(key)["stages"][5].get("note", ""), what="the note")
    archive.fail_store_after = None
    assert engine.wait(key, "succeeded", "failed")["state"] == "succeeded"
    assert len(archive.stored) == len(set(archive.stored)) == 96


def test_instances_that_an_archive_confirms_and_loses_are_stored_again(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.hold("consistency")
    key = engine.put(request_for())
    engine.start_worker()
    engine.wait_for_stage(key, "consistency", "running")
    archive.forget_next_store = True
    engine.release("consistency")
    result = engine.wait(key, "succeeded", "failed")["result"]
    assert set(archive.instances[result["series_instance_uid"]]) == set(result["sop_instance_uids"])


def test_an_incomplete_transfer_is_fetched_again(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    archive.hidden = {f"{SERIES}.2"}
    key = engine.put(request_for())
    engine.start_worker()
    wait_for(lambda: "sent 5 of 6" in engine.status(key)["stages"][0].get("note", ""), what="the note")
    archive.hidden = set()
    assert engine.wait(key, "succeeded", "failed")["state"] == "succeeded"


def test_wrong_archive_credentials_are_named_and_not_tried_again(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    archive.password = "changed"
    key = engine.put(request_for())
    engine.start_worker()
    assert "NULLSPLAT_ARCHIVE_PASSWORD" in failure_of(engine, key)["message"]


def test_part_of_another_run_under_the_same_uids_is_never_completed(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    key = engine.put(request_for())
    engine.start_worker()
    uid = engine.wait(key, "succeeded")["result"]["series_instance_uid"]
    kept = dict(list(archive.instances[uid].items())[:5])
    # The engine's memory is lost, the archive's is not, and somebody deleted some slices there.
    engine.forget_everything()
    archive.instances[uid] = dict(kept)
    assert engine.put(request_for()) == key
    assert failure_of(engine, key)["code"] == "mixed-runs"
    assert archive.instances[uid] == kept


def test_a_result_that_is_there_already_is_not_stored_again(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    key = engine.put(request_for())
    engine.start_worker()
    uid = engine.wait(key, "succeeded")["result"]["series_instance_uid"]
    engine.forget_everything()
    engine.put(request_for())
    assert engine.wait(key, "succeeded", "failed")["result"]["series_instance_uid"] == uid
    assert len(archive.stored) == 12


def test_a_job_for_which_there_is_no_room_is_refused_before_anything_is_fetched(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    key = engine.put(request_for())
    engine.start_worker(NULLSPLAT_SPOOL_RESERVE_MIB=str(2**30))
    failure = failure_of(engine, key)
    assert failure["code"] == "storage"
    assert failure["retryable"] is True
    assert re.search(r"needs \d+ MB .* has \d+ MB free", failure["message"])
    assert archive.retrieved == 0
    assert len(archive.instances) == 1


def test_a_disk_that_is_full_in_the_middle_is_named(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    (engine.control / "fail-stage2").write_text("disk-full")
    key = engine.put(request_for())
    engine.start_worker()
    failure = failure_of(engine, key)
    assert failure["code"] == "storage"
    assert re.search(r"\d+ MB are free, the job needs about \d+ MB", failure["message"])
    (engine.control / "fail-stage2").unlink()
    engine.wait(engine.put(request_for(attempt=2)), "succeeded")
    assert set(archive.instances[SERIES]) == set(ct_series())


@pytest.fixture
def small_spool(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own for the spool, so that it can really be full."""
    spool = tmp_path / "spool"
    spool.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", spool], check=False).returncode
    ):
        pytest.skip("mounting a small file system needs root")
    yield spool
    subprocess.run(["umount", "--lazy", spool], check=True)


def test_a_really_full_disk_fails_the_job_and_not_the_node(
    small_spool: Path, engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.hold("stage1")
    key = engine.put(request_for(scale=(16, 1, 1)))
    engine.start_worker()
    engine.wait_for_stage(key, "stage1", "running")
    filler = small_spool / "filler"
    fill(filler)
    engine.release("stage1")
    wait_for(lambda: "stage failed" in engine.worker_log, what="the failure")
    filler.unlink()
    assert failure_of(engine, key)["code"] == "storage"
    assert not archive.derived(SERIES)
    engine.wait(engine.put(request_for(attempt=2)), "succeeded")


def fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
    except OSError:
        return


def test_a_stage_that_takes_too_long_is_stopped(engine: Engine, request_for: Request) -> None:
    engine.hold("stage2")
    key = engine.put(request_for())
    engine.start_worker(NULLSPLAT_STAGE2_LIMIT_SECONDS="0.5")
    failure = failure_of(engine, key)
    assert failure["code"] == "stage-timeout"
    assert "NULLSPLAT_STAGE2_LIMIT_SECONDS" in failure["message"]


def test_an_unforeseen_error_is_internal_and_its_text_stays_in_the_log(
    engine: Engine, request_for: Request
) -> None:
    (engine.control / "fail-stage1").write_text("something quotes DOE")
    key = engine.put(request_for())
    engine.start_worker()
    failure = failure_of(engine, key)
    assert failure["code"] == "internal"
    assert "DOE" not in failure["message"]
    assert "something quotes DOE" in engine.worker_log
    assert "fast_processing.py" in engine.worker_log


def test_no_patients_data_enter_the_log_the_database_or_what_is_kept(
    engine: Engine, request_for: Request
) -> None:
    key = engine.put(request_for())
    engine.start_worker()
    engine.wait(key, "succeeded")
    wait_for((engine.spool / "jobs" / key / "figures.json").exists, what="the figures")
    assert key in engine.worker_log
    for path in [*engine.spool.rglob("*"), engine.folder / "worker.log"]:
        if path.is_file():
            assert PATIENT.split("^")[0].encode() not in path.read_bytes(), path


def test_other_users_cannot_enter_the_spool(engine: Engine, request_for: Request) -> None:
    key = engine.put(request_for())
    engine.start_worker()
    engine.wait(key, "succeeded")
    for path in (engine.spool, engine.spool / "jobs", engine.spool / "jobs" / key):
        assert path.stat().st_mode & 0o077 == 0, path


def test_folders_that_nobody_will_clear_are_cleared(engine: Engine) -> None:
    jobs = engine.spool / "jobs"
    for name, days in (("a" * 32, 1), ("b" * 32, 31)):
        (jobs / name / "source").mkdir(parents=True)
        (jobs / name / "figures.json").write_text("{}")
        os.utime(jobs / name, (time.time() - days * 86400,) * 2)
    engine.start_worker()
    wait_for(lambda: not (jobs / ("b" * 32)).exists(), what="the end of the old folder")
    wait_for(
        lambda: [path.name for path in (jobs / ("a" * 32)).iterdir()] == ["figures.json"],
        what="the document alone",
    )

"""Whatever is killed or away meanwhile, each job ends once and right."""

import io
from collections.abc import Callable
from typing import Any

import pydicom
from archive_double import ArchiveDouble
from bench import Engine
from dicom_samples import SERIES

Request = Callable[..., dict[str, Any]]


def test_a_job_ends_as_a_derived_series_in_the_archive(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.start_worker()
    key = engine.put(request_for())
    status = engine.wait(key, "succeeded", "failed")
    assert status["state"] == "succeeded", status
    (uid,) = archive.derived(SERIES)
    assert status["result"]["series_instance_uid"] == uid
    assert set(status["result"]["sop_instance_uids"]) == set(archive.instances[uid])
    assert len(archive.instances[uid]) == 12
    first = pydicom.dcmread(io.BytesIO(next(iter(archive.instances[uid].values()))))
    assert first.ImageType[0] == "DERIVED"
    assert status["progress"] == 1.0
    assert all(stage["state"] == "done" for stage in status["stages"])


def test_a_worker_killed_in_stage_2_is_taken_over_without_repeating_stage_1(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    engine.hold("stage2")
    victim = engine.start_worker()
    key = engine.put(request_for())
    engine.wait_for_stage(key, "stage2", "running")
    engine.end(victim)
    engine.release("stage2")
    engine.start_worker()
    status = engine.wait(key, "succeeded", "failed")
    assert status["state"] == "succeeded", status
    assert engine.calls() == ["prepare", "stage1", "stage2", "stage2", "consistency", "derive"]
    assert len(archive.derived(SERIES)) == 1

"""The audit log says who did what with which job, in whole lines, and nothing of a patient."""

import hashlib
import io
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import SERIES
from tests.support.service.engine import Engine, wait_for
from tests.support.service.fast_processing import CONFIG, MODEL

from nullsplat.service.audit.entry import Entry, Event
from nullsplat.service.audit.log import AUDIT_FILE, AuditLog, output_hash

Request = Callable[..., dict[str, Any]]
KEY = "0" * 32


def lines(spool: Path) -> list[dict[str, Any]]:
    path = spool / AUDIT_FILE
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def of_job(spool: Path, key: str) -> list[dict[str, Any]]:
    return [line for line in lines(spool) if line.get("job") == key]


def whats(spool: Path, key: str) -> list[str]:
    return [line["what"] for line in of_job(spool, key)]


def test_a_job_leaves_a_line_for_each_step_with_its_hashes(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    request = request_for()
    key = engine.put(request)
    engine.put(request)  # the same again is nothing new
    engine.start_worker(NULLSPLAT_EXECUTOR_ID="gpu0")
    engine.wait(key, "succeeded")
    wait_for(lambda: "finished" in whats(engine.spool, key), what="the last line")
    of_this = of_job(engine.spool, key)
    assert [line["what"] for line in of_this] == ["requested", "started", "fetched", "stored", "finished"]
    requested, *by_worker = of_this
    stored, finished = by_worker[-2:]
    assert requested["who"] == "client 127.0.0.1"
    assert {line["who"] for line in by_worker} == {"worker gpu0"}
    assert {line["input"] for line in of_this} == {request["fingerprint"]}
    assert {(line["config"], line["model"]) for line in (stored, finished)} == {(CONFIG, MODEL)}
    (derived,) = archive.derived(SERIES).values()
    assert stored["output"] == finished["output"] == hash_of(derived)
    times = [line["time"] for line in of_this]
    assert times == sorted(times)
    assert (engine.spool / AUDIT_FILE).stat().st_mode & 0o077 == 0


def hash_of(instances: dict[str, bytes]) -> str:
    """The documented hash, of what the archive received."""
    digests = {uid: hashlib.sha256(content).hexdigest() for uid, content in instances.items()}
    return hashlib.sha256("".join(f"{uid} {digests[uid]}\n" for uid in sorted(digests)).encode()).hexdigest()


def test_processes_say_when_they_begin_and_end(engine: Engine) -> None:
    worker = engine.start_worker(NULLSPLAT_EXECUTOR_ID="gpu0")
    wait_for(lambda: "worker gpu0 is ready" in engine.worker_log, what="the worker")
    engine.end(worker, signal.SIGTERM)
    said = [(line["who"], line["what"]) for line in lines(engine.spool)]
    assert said == [("api", "up"), ("worker gpu0", "up"), ("worker gpu0", "down")]


def test_failures_and_cancellations_are_audited(
    engine: Engine, archive: ArchiveDouble, request_for: Request
) -> None:
    cancelled = engine.put(request_for(attempt=1))
    engine.client.delete(f"/v1/jobs/{cancelled}")
    engine.client.delete(f"/v1/jobs/{cancelled}")  # the second time nothing happens
    (engine.control / "fail-stage1").write_text("quotes DOE^JANE")
    engine.start_worker()
    failed = engine.put(request_for(attempt=2))
    engine.wait(failed, "failed")
    wait_for(lambda: "failed" in whats(engine.spool, failed), what="the last line")
    assert whats(engine.spool, cancelled) == ["requested", "cancelled"]
    assert whats(engine.spool, failed) == ["requested", "started", "fetched", "failed"]
    assert lines(engine.spool)[-1]["code"] == "internal"
    assert "DOE" not in (engine.spool / AUDIT_FILE).read_text()


def test_several_processes_write_whole_lines(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from nullsplat.service.audit.entry import *; from nullsplat.service.audit.log import *\n"
        "log = AuditLog(Path(sys.argv[1]), f'worker {sys.argv[2]}')\n"
        "for number in range(60): log.write(Entry(Event.STARTED, log.who, f'{number:032x}', input='f' * 3000))"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(number)]) for number in range(3)
    ]
    assert [child.wait() for child in children] == [0, 0, 0]
    found = [(line["who"], int(line["job"], 16)) for line in lines(tmp_path)]
    assert sorted(found) == [(f"worker {who}", number) for who in range(3) for number in range(60)]


def test_a_file_that_was_rotated_away_is_created_again(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "worker a")
    log.write(Entry(Event.STARTED, log.who, KEY))
    (tmp_path / AUDIT_FILE).rename(tmp_path / "audit.jsonl.1")
    log.write(Entry(Event.FAILED, log.who, KEY, code="storage"))
    assert [line["what"] for line in lines(tmp_path)] == ["failed"]
    assert "started" in (tmp_path / "audit.jsonl.1").read_text()


def test_a_disk_that_takes_no_line_is_told_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / AUDIT_FILE).symlink_to("/dev/full")
    with caplog.at_level(logging.ERROR):
        AuditLog(tmp_path, "worker a").write(Entry(Event.STORED, "worker a", KEY))
    assert "the audit line stored could not be written" in caplog.text
    assert "No space left on device" in caplog.text


def test_the_output_hash_is_the_documented_one(tmp_path: Path) -> None:
    for name, content in (("x", b""), ("y", b"abc")):
        (tmp_path / name).write_bytes(content)
    # SHA-256 of the empty text and of "abc" as FIPS 180-2 gives them; UIDs sort as text, so 1.10 comes before 1.9
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    expected = hashlib.sha256(f"1.10 {abc}\n1.9 {empty}\n".encode()).hexdigest()
    assert output_hash({"1.9": tmp_path / "x", "1.10": tmp_path / "y"}) == expected


def test_another_pixel_is_another_output(archive: ArchiveDouble, tmp_path: Path) -> None:
    uid, content = next(iter(archive.instances[SERIES].items()))
    (tmp_path / "a").write_bytes(content)
    image = pydicom.dcmread(io.BytesIO(content))
    image.PixelData = bytes([image.PixelData[0] ^ 1]) + image.PixelData[1:]
    image.save_as(tmp_path / "b")
    assert output_hash({uid: tmp_path / "a"}) != output_hash({uid: tmp_path / "b"})

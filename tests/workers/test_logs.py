"""What the log says, in both its forms, and what it never says."""

import io
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import ct_series, encode
from tests.support.service.engine import SECRET, Engine, wait_for

from nullsplat.dicom.read.series import fingerprint
from nullsplat.service.logs import OWN, SILENT, JsonFormatter, TextFormatter, configure_logging, working_on

ROOT = "1.2.826.0.1.3680043.8.498.77310455"
STUDY, SERIES, BROKEN = f"{ROOT}.1", f"{ROOT}.2", f"{ROOT}.3"
IDENTITY = {
    "PatientName": "ZWIEBELBAUM^ROSALINDE",
    "PatientID": "PID-90210-XK",
    "PatientBirthDate": "19530731",
    "AccessionNumber": "ACC-66771",
    "ReferringPhysicianName": "QUACKENBUSH^HUGO",
    "InstitutionName": "SANKT HIERONYMUS",
    "StudyDescription": "KONTROLLE NACH LOBEKTOMIE",
}
MARKS = (
    "zwiebelbaum",
    "rosalinde",
    "90210",
    "19530731",
    "66771",
    "quackenbush",
    "hieronymus",
    "lobektomie",
    "77310455",
)


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("nullsplat.x", logging.INFO, __file__, 1, message, arguments, None)
    vars(made).update(extra)
    return made


# Form


def test_json_lines_have_time_level_logger_event_and_what_is_worked_on() -> None:
    with working_on("k" * 32, "stage1"):
        entry = json.loads(JsonFormatter().format(record("stage is %s", "done", seconds=1.5)))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", entry.pop("time"))
    assert entry == {
        "level": "INFO",
        "logger": "nullsplat.x",
        "event": "stage is done",
        "job": "k" * 32,
        "stage": "stage1",
        "seconds": 1.5,
    }


def test_what_is_worked_on_ends_with_the_work() -> None:
    with working_on("a"), working_on("b", "fetch"):
        pass
    assert {"job", "stage"}.isdisjoint(json.loads(JsonFormatter().format(record("x"))))


def test_what_is_said_goes_before_what_is_worked_on() -> None:
    with working_on("a", "fetch"):
        assert json.loads(JsonFormatter().format(record("x", job="b")))["job"] == "b"


def test_text_lines_are_one_line_for_each_record() -> None:
    with working_on("k", "fetch"):
        line = TextFormatter().format(record("first\nINFO second\u2028third", code="timeout"))
    assert line.endswith(r" INFO nullsplat.x: first\nINFO second\u2028third job=k stage=fetch code=timeout")
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_uids_are_left_out_and_addresses_are_not(formatter: logging.Formatter) -> None:
    line = formatter.format(
        record(f"GET /studies/{STUDY}/series at 255.255.255.255:8042 took 0.123456789012345 s")
    )
    assert STUDY not in line
    assert "/studies/[uid]/series at 255.255.255.255:8042 took 0.123456789012345 s" in line


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_a_dicom_librarys_error_is_logged_without_what_it_quotes(formatter: logging.Formatter) -> None:
    made, value = record("failed"), IDENTITY["PatientName"]
    with pytest.raises(ValueError, match="ZWIEBEL") as caught:
        pydicom.valuerep.DSfloat(value)
    made.exc_info = (caught.type, caught.value, caught.tb)
    line = formatter.format(made)
    assert "ZWIEBEL" not in line
    assert "ValueError" in line
    assert "valuerep.py" in line


@pytest.fixture
def own_log(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Configures this process's log as the API does, into a file, and puts it back afterwards."""
    root, path = logging.getLogger(), tmp_path / "api.log"
    handlers, level, show = root.handlers[:], root.level, warnings.showwarning

    with path.open("w", buffering=1) as stream:

        def configure(level: str, form: str) -> Path:
            configure_logging(level, form, stream)
            return path

        yield configure
        root.handlers[:] = handlers
    root.setLevel(level)
    warnings.showwarning = show
    for name in OWN + SILENT:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_libraries_are_heard_from_warnings_on_and_those_that_quote_not_at_all(own_log: Any) -> None:
    path = own_log("DEBUG", "json")
    for name in ("urllib3.connectionpool", "dbos", "pydicom", "dicomweb_client.web", "nullsplat.service.x"):
        for level in (logging.DEBUG, logging.ERROR):
            logging.getLogger(name).log(level, "said")
    heard = [(line["logger"], line["level"]) for line in map(json.loads, path.read_text().splitlines())]
    assert heard == [
        ("urllib3.connectionpool", "ERROR"),
        ("dbos", "ERROR"),
        ("nullsplat.service.x", "DEBUG"),
        ("nullsplat.service.x", "ERROR"),
    ]


# Privacy


def patient_series(series: str, **changed: str) -> dict[str, bytes]:
    """A series of a patient who can be recognised anywhere."""
    files = {}
    for uid, content in ct_series(series=series).items():
        image = pydicom.dcmread(io.BytesIO(content))
        for keyword, value in (IDENTITY | {"StudyInstanceUID": STUDY}).items():
            setattr(image, keyword, value)
        files[uid] = encode(image)
        for keyword, value in changed.items():  # as bytes of the same length: no library writes such a value
            files[uid] = files[uid].replace(keyword.encode(), value.encode())
    return files


def put(engine: Engine, archive: ArchiveDouble, series: str, attempt: int) -> str:
    return engine.put(
        {
            "study_instance_uid": STUDY,
            "series_instance_uid": series,
            "fingerprint": fingerprint(series, archive.instances[series]),
            "attempt": attempt,
            "parameters": {"preset": "preview", "scale": [2, 1, 1], "seed": 0, "samples": 1},
        }
    )


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_that_leads_to_a_patient_and_no_secret_is_logged_whatever_happens(
    engine: Engine, archive: ArchiveDouble, own_log: Any, form: str
) -> None:
    api_log = own_log("DEBUG", form)
    archive.add(SERIES, patient_series(SERIES))
    archive.add(BROKEN, patient_series(BROKEN, **{"LUNG SCREEN ": "ROSALINDE^^^", r"1.0\1.0 ": r"ROSA\LIN"}))
    engine.start_worker(NULLSPLAT_LOG_LEVEL="DEBUG", NULLSPLAT_LOG_FORMAT=form)

    good = put(engine, archive, SERIES, 1)
    assert engine.wait(good, "succeeded", "failed")["state"] == "succeeded"
    ends = [engine.wait(put(engine, archive, BROKEN, 1), "failed")["failure"]]
    archive.talks_html = True
    ends.append(engine.wait(put(engine, archive, SERIES, 2), "failed")["failure"])
    archive.talks_html = False
    refused = engine.client.put(
        f"/v1/jobs/{IDENTITY['PatientID']}", json={"PatientName": IDENTITY["PatientName"]}
    )
    assert refused.status_code == 422
    removed = archive.instances[SERIES].pop(f"{SERIES}.3")
    ends.append(engine.wait(put(engine, archive, SERIES, 3), "failed")["failure"])
    archive.add(SERIES, {f"{SERIES}.3": removed})
    wait_for(lambda: engine.worker_log.count("job is over") == 4, what="the ends of the jobs")
    assert "missing-slice" in {end["code"] for end in ends}

    shown = engine.client.get("/metrics").text
    assert "nullsplat_workers_alive 1.0" in shown
    assert "nullsplat_worker_spool_free_bytes{" in shown
    audit = (engine.spool / "audit.jsonl").read_text()
    said = {
        "worker": engine.worker_log,
        "api": api_log.read_text(),
        "audit": audit,
        "metrics": shown,
        "ends": str(ends),
    }
    for where, text in said.items():
        for mark in (*MARKS, SECRET, archive.password):
            assert mark.lower() not in text.lower(), (where, mark)
    for key in (good, "fetch", "missing-slice"):
        assert key in engine.worker_log
    if form == "json":
        for line in engine.worker_log.splitlines():
            assert {"time", "level", "logger", "event"} <= json.loads(line).keys()


def test_a_crash_of_the_api_is_logged_without_what_the_archive_or_a_file_said(
    engine: Engine, own_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = own_log("DEBUG", "json")

    def broken(*_arguments: object) -> None:
        pydicom.valuerep.DSfloat(IDENTITY["PatientName"])

    monkeypatch.setattr("nullsplat.service.queue.jobs.JobStore.newest", broken)
    assert engine.client.get("/v1/jobs").status_code == 500
    wait_for(lambda: "ValueError" in log.read_text(), what="the log line")
    assert "ZWIEBEL" not in log.read_text()


def test_secrets_do_not_enter_the_log_when_the_database_cannot_be_had(engine: Engine, tmp_path: Path) -> None:
    url = "postgresql://user:a-password-of-the-database@127.0.0.1:9/nullsplat"
    engine.start_worker(NULLSPLAT_DATABASE_URL=url, NULLSPLAT_LOG_LEVEL="DEBUG")
    wait_for(lambda: "Error" in engine.worker_log, what="the refusal")
    assert "a-password-of-the-database" not in engine.worker_log

"""What the audit log says reaches an audit repository as DICOM audit messages by syslog over TLS, and never holds up a job."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from tests.support.dicom.series import SECRETS
from tests.support.security.authority import Authority, example_authority
from tests.support.service.audit_schema import checked
from tests.support.service.dicom_samples import STUDY
from tests.support.service.engine import Engine, wait_for
from tests.support.service.syslog_receiver import SyslogReceiver

from nullsplat.core.errors import ConfigurationError
from nullsplat.service.audit import syslog
from nullsplat.service.audit.entry import Entry, Event
from nullsplat.service.audit.log import AUDIT_FILE, AuditLog
from nullsplat.service.audit.message import Reporter, audit_message
from nullsplat.service.audit.reports import Reports
from nullsplat.service.audit.syslog import Repository, SyslogSender, syslog_frame
from nullsplat.service.audit.transfer import Images, Transfer
from nullsplat.service.settings import Settings

Request = Callable[..., dict[str, Any]]
KEY = "0" * 32
ENOUGH = 20.0
"""Seconds for what waits for nobody; a receiver that is away stays so for the whole test."""
PATIENT_ID = SECRETS[1]
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
REPORTER = Reporter("worker gpu0", "ct-node", "https://orthanc.example:8043/dicom-web")
NOON = datetime(2026, 11, 30, 12, 0, 0, 250_000, tzinfo=UTC)
HEADER = re.compile(
    r"<(8[45])>1 (\S+) (\S+) nullsplat (\d+) DICOM\+RFC3881 - \ufeff(<AuditMessage>.*)", re.DOTALL
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return example_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def receiver(authority: Authority) -> Iterator[SyslogReceiver]:
    receiver = SyslogReceiver(authority.server())
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture
def environment(
    environment: dict[str, str], authority: Authority, receiver: SyslogReceiver
) -> dict[str, str]:
    """Of an engine that reports to the receiver."""
    return environment | {
        "NULLSPLAT_AUDIT_SYSLOG": f"127.0.0.1:{receiver.port}",
        "NULLSPLAT_AUDIT_CA_FILE": str(authority.ca_file),
        "NULLSPLAT_AUDIT_CERTIFICATE_FILE": str(authority.certificate("engine")),
        "NULLSPLAT_AUDIT_KEY_FILE": str(authority.key("engine")),
    }


def event(root: ET.Element) -> str:
    return str(root.find("EventIdentification/EventID").get("csd-code"))


def roles(root: ET.Element) -> dict[str, str]:
    """Which participant has which role."""
    found = ((one.find("RoleIDCode"), one) for one in root.iter("ActiveParticipant"))
    return {str(code.get("csd-code")): str(one.get("UserID")) for code, one in found if code is not None}


def objects(root: ET.Element) -> dict[str, str]:
    """What the message is about: the code of its kind to its identifier."""
    return {
        str(one.find("ParticipantObjectIDTypeCode").get("csd-code")): str(one.get("ParticipantObjectID"))
        for one in root.iter("ParticipantObjectIdentification")
    }


def received(receiver: SyslogReceiver) -> list[ET.Element]:
    matches = [HEADER.fullmatch(message) for message in receiver.messages]
    assert all(matches), receiver.messages
    return [checked(match[5]) for match in matches if match]


@pytest.mark.parametrize("what", Event)
@pytest.mark.parametrize("who", ["client 10.1.2.3", "client ct-7.example", "worker gpu0", "api"])
def test_every_entry_makes_a_message_that_the_schema_allows(what: Event, who: str) -> None:
    transfer = Transfer("1.2.3", "PAT 1", {CT_IMAGE: 12})
    entry = Entry(what, who, KEY, "f" * 64, "stat", "e" * 64, "c" * 64, "b" * 64, "storage")
    for one, images in ((entry, transfer), (Entry(what, who), None)):
        root = checked(audit_message(one, NOON, REPORTER, images))
        assert root.find("EventIdentification").get("EventDateTime") == "2026-11-30T12:00:00.250+00:00"


def test_images_that_are_stored_are_dicom_instances_transferred() -> None:
    transfer = Transfer("1.2.3", "PAT 1", {CT_IMAGE: 48, "1.2.840.10008.5.1.4.1.1.88.33": 1})
    root = checked(audit_message(Entry(Event.STORED, "worker gpu0", KEY), NOON, REPORTER, transfer))
    assert event(root) == "110104"
    assert roles(root) == {"110153": "worker gpu0", "110152": REPORTER.archive}
    requestors = {one.get("UserID"): one.get("UserIsRequestor") for one in root.iter("ActiveParticipant")}
    assert requestors == {"worker gpu0": "true", REPORTER.archive: "false"}
    assert objects(root) == {"110180": "1.2.3", "2": "PAT 1", "job": KEY}
    numbers = {one.get("UID"): one.get("NumberOfInstances") for one in root.iter("SOPClass")}
    assert numbers == {uid: str(number) for uid, number in transfer.instances.items()}


def test_what_failed_says_so() -> None:
    failed = checked(audit_message(Entry(Event.FAILED, "worker gpu0", KEY, code="storage"), NOON, REPORTER))
    assert failed.find("EventIdentification").get("EventOutcomeIndicator") == "8"
    assert failed.find("EventIdentification/EventOutcomeDescription").text == "storage"
    denied = checked(audit_message(Entry(Event.DENIED, "client 10.1.2.3"), NOON, REPORTER))
    assert event(denied) == "110114"
    assert denied.find("EventIdentification").get("EventOutcomeIndicator") == "4"
    person = denied.find("ActiveParticipant")
    assert (person.get("NetworkAccessPointID"), person.get("NetworkAccessPointTypeCode")) == ("10.1.2.3", "2")


def test_a_frame_begins_with_its_length_in_bytes() -> None:
    frame = syslog_frame("<AuditMessage>ü</AuditMessage>", NOON, "ct-node", failure=True)
    length, _, rest = frame.partition(b" ")
    assert int(length) == len(rest)
    match = HEADER.fullmatch(rest.decode())
    assert match is not None
    assert match[1] == "84"
    assert match[2] == "2026-11-30T12:00:00.250Z"


def test_a_job_is_told_from_its_request_to_its_end(
    engine: Engine, receiver: SyslogReceiver, request_for: Request
) -> None:
    worker = engine.start_worker(NULLSPLAT_EXECUTOR_ID="gpu0")
    key = engine.put(request_for())
    engine.wait(key, "succeeded")
    wait_for(lambda: "finished" in (engine.spool / AUDIT_FILE).read_text(), what="the job's last line")
    engine.end(worker, signal.SIGTERM)
    lines = (engine.spool / AUDIT_FILE).read_text().splitlines()
    assert len(lines) == 8  # API and worker up, five of the job, worker down
    messages = wait_for(
        lambda: len(receiver.messages) == len(lines) and received(receiver), what="the messages"
    )
    of_job = {
        event(root) if event(root) != "110104" else roles(root)["110153"]: root
        for root in messages
        if "job" in objects(root)
    }
    assert of_job.keys() == {
        "requested",
        "started",
        engine.environment["NULLSPLAT_ARCHIVE_URL"],
        "worker gpu0",
        "finished",
    }
    assert {objects(root)["job"] for root in of_job.values()} == {key}
    for transferred in (of_job[engine.environment["NULLSPLAT_ARCHIVE_URL"]], of_job["worker gpu0"]):
        assert objects(transferred) == {"110180": STUDY, "2": PATIENT_ID, "job": key}
    assert PATIENT_ID not in "".join(lines)
    assert STUDY not in "".join(lines)


def test_who_does_not_know_the_secret_is_told_once_a_minute(engine: Engine, receiver: SyslogReceiver) -> None:
    for _ in range(3):
        assert httpx.get(f"{engine.client.base_url}/v1/jobs").status_code == 401
    (line,) = (one for one in (engine.spool / AUDIT_FILE).read_text().splitlines() if "denied" in one)
    assert json.loads(line)["who"] == "client 127.0.0.1"
    wait_for(
        lambda: [event(root) for root in received(receiver)] == ["110100", "110114"], what="the messages"
    )


def reporting(spool: Path, authority: Authority, receiver: SyslogReceiver, kept: int = 1000) -> AuditLog:
    """An audit log that reports to the receiver, which need not be there."""
    repository = Repository("127.0.0.1", receiver.port, authority.client())
    return AuditLog(spool, "worker gpu0", Reports(REPORTER, SyslogSender(repository, kept)))


def numbered(log: AuditLog, numbers: range) -> None:
    for number in numbers:
        log.write(Entry(Event.STARTED, log.who, f"{number:032x}"))


def numbers(receiver: SyslogReceiver) -> list[int]:
    return [int(objects(root)["job"], 16) for root in received(receiver)]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that tries again soon."""
    monkeypatch.setattr(syslog, "RETRY_FIRST", 0.1)
    monkeypatch.setattr(syslog, "RETRY_LONGEST", 0.2)


@pytest.mark.usefixtures("hasty")
def test_a_repository_that_is_away_keeps_nobody_waiting_and_gets_all_when_it_is_back(
    tmp_path: Path, authority: Authority, receiver: SyslogReceiver
) -> None:
    log = reporting(tmp_path, authority, receiver)
    numbered(log, range(3))
    wait_for(lambda: numbers(receiver) == [0, 1, 2], what="the first messages")
    receiver.stop()
    began = time.monotonic()
    numbered(log, range(3, 20))
    assert time.monotonic() - began < ENOUGH
    assert len((tmp_path / AUDIT_FILE).read_text().splitlines()) == 20
    receiver.start()
    wait_for(lambda: numbers(receiver) == list(range(20)), what="the rest, in order and once")
    log.close()


@pytest.mark.usefixtures("hasty")
def test_what_waits_is_bounded_and_what_is_lost_is_counted(
    tmp_path: Path, authority: Authority, receiver: SyslogReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.stop()
    log = reporting(tmp_path, authority, receiver, kept=5)
    numbered(log, range(1))
    wait_for(lambda: "cannot be reached" in caplog.text, what="the first try")
    numbered(log, range(1, 20))
    assert caplog.text.count("has been unreachable for too long") == 1
    assert len((tmp_path / AUDIT_FILE).read_text().splitlines()) == 20
    receiver.start()
    wait_for(lambda: "14 audit messages were not sent" in caplog.text, what="the count")
    wait_for(lambda: numbers(receiver) == list(range(6)), what="what was sent")
    log.close()


@pytest.mark.usefixtures("hasty")
def test_a_process_ends_although_the_repository_is_away(
    tmp_path: Path, authority: Authority, receiver: SyslogReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.stop()
    log = reporting(tmp_path, authority, receiver)
    numbered(log, range(3))
    began = time.monotonic()
    log.close()
    assert time.monotonic() - began < ENOUGH
    assert "4 audit messages were not sent" in caplog.text


@pytest.mark.usefixtures("hasty")
def test_nothing_is_sent_to_a_repository_that_is_not_trusted(
    tmp_path: Path, receiver: SyslogReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = example_authority(tmp_path / "stranger")
    log = reporting(tmp_path, stranger, receiver)
    numbered(log, range(1))
    wait_for(lambda: "certificate verify failed" in caplog.text, what="the refusal")
    log.close()
    assert receiver.messages == []


def test_images_that_cannot_be_read_are_told_as_unknown(
    tmp_path: Path, authority: Authority, receiver: SyslogReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    log = reporting(tmp_path, authority, receiver)
    (tmp_path / "a.dcm").write_bytes(b"nothing")
    log.write(Entry(Event.FETCHED, log.who, KEY), Images("1.2.3", [[tmp_path / "a.dcm"]]))
    wait_for(lambda: receiver.messages, what="the message")
    assert objects(received(receiver)[0]) == {"110180": "1.2.3", "2": "<none>", "job": KEY}
    assert "could not be looked at" in caplog.text
    log.close()


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("NULLSPLAT_AUDIT_SYSLOG", "https://audit.example", "must be a host with or without a port"),
        ("NULLSPLAT_AUDIT_SYSLOG", "audit.example:99999", "must be a host with or without a port"),
        ("NULLSPLAT_AUDIT_CA_FILE", "/nowhere.crt", "NULLSPLAT_AUDIT_CA_FILE must name a readable file"),
        (
            "NULLSPLAT_AUDIT_KEY_FILE",
            "/nowhere.key",
            "NULLSPLAT_AUDIT_KEY_FILE must be a certificate and its key",
        ),
        ("NULLSPLAT_AUDIT_KEY_FILE", None, "must be set together"),
    ],
)
def test_a_wrong_setting_is_named(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str | None,
    complaint: str,
) -> None:
    for name, setting in (environment | {variable: value}).items():
        if setting is not None:
            monkeypatch.setenv(name, setting)
    with pytest.raises(ConfigurationError, match=complaint):
        Reports.of(Settings(), "api")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("audit.example", ("audit.example", 6514)),
        ("10.1.2.3:601", ("10.1.2.3", 601)),
        ("[fe80::1]:601", ("fe80::1", 601)),
    ],
)
def test_the_address_is_read(settings: Settings, text: str, address: tuple[str, int]) -> None:
    assert Settings(audit_syslog=text).audit_repository == address


def test_without_a_repository_nothing_is_sent(settings: Settings) -> None:
    assert Reports.of(Settings(audit_syslog=None), "api") is None

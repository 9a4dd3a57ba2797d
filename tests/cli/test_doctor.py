import importlib.metadata
import json
import socket
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nullsplat.cli.checks import computing, doctor, findings, node, shared_spool
from nullsplat.cli.checks.findings import Finding, Level
from nullsplat.cli.checks.modalities import PERMISSIONS, modalities
from nullsplat.cli.checks.sockets import ports_open_everywhere
from nullsplat.core.errors import ConfigurationError, WeightsError
from nullsplat.node.processes import free_port
from nullsplat.service.settings import Settings


def make_settings(archive_url: str, tmp_path: Path) -> Settings:
    return Settings(
        archive_url=archive_url,
        archive_username="engine",
        archive_password="right password",
        secret="0123456789abcdef",
        spool=tmp_path,
        port=free_port(),
    )


@contextmanager
def archive(status: int, text: str = "[]") -> Iterator[tuple[str, list[str]]]:
    """An archive that answers everything alike; yields its root, and the credentials that it was shown."""
    shown: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/dicom-web", shown
        finally:
            server.shutdown()
            thread.join()


def test_all_declared_packages_are_there_in_this_environment() -> None:
    assert findings.packages().level is Level.OK


@pytest.mark.parametrize(
    ("requirement", "complaint"),
    [("not-a-package-of-anybody>=1", "is not installed"), ("numpy>=99", "is needed, ")],
)
def test_a_wrong_package_is_named(requirement: str, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: [requirement, "not-for-us; extra == 'dev'"])
    found = findings.packages()
    assert found.level is Level.MISSING
    assert complaint in found.text
    assert "not-for-us" not in found.text


def test_nothing_else_is_looked_at_while_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "packages", lambda: Finding("Packages", Level.MISSING, "x"))
    assert [found.subject for found in doctor.findings()] == ["Python", "Packages"]


def test_damaged_weights_are_missing_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise WeightsError("not the ones")

    monkeypatch.setattr(computing.weights, "verify", fail)
    assert computing.prior_weights() == Finding("Weights", Level.MISSING, "not the ones")


def test_too_little_room_is_reported_also_for_a_folder_that_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert node.disk(tmp_path / "not" / "there").level is Level.OK
    monkeypatch.setattr(node, "NEEDED_DISK_GIB", 10**9)
    assert node.disk(tmp_path / "not" / "there").level is Level.MISSING


def test_a_shared_spool_is_looked_at_where_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings("http://127.0.0.1:1", tmp_path)
    assert shared_spool.shared_spool(settings) is None
    folder = tmp_path / "the volume"
    settings = settings.model_copy(update={"shared_spool": folder})
    missing = shared_spool.shared_spool(settings)
    assert missing is not None
    assert missing.level is Level.MISSING
    folder.mkdir()
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(shared_spool, "MOUNTS", mounts)
    mounts.write_text("1 0 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n")
    local = shared_spool.shared_spool(settings)
    assert local is not None
    assert local.level is Level.NOTE
    assert "is on ext4, which other machines do not see" in local.text
    place = str(folder).replace(" ", "\\040")
    mounts.write_text(f"{mounts.read_text()}2 1 0:50 / {place} rw - nfs4 filer:/jobs rw,vers=4.2\n")
    found = shared_spool.shared_spool(settings)
    assert found is not None
    assert (found.level, found.text) == (
        Level.OK,
        f"{folder} is on nfs4, and belongs to no database yet",
    )
    assert list(folder.iterdir()) == []


def test_orthanc_is_needed_only_without_another_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ConfigurationError("apt-get install orthanc")

    monkeypatch.setattr(node, "installed_orthanc", fail)
    assert node.orthanc(needed=True).level is Level.MISSING
    assert node.orthanc(needed=False).level is Level.NOTE


def test_an_archive_that_answers_is_fine_and_is_shown_the_password(tmp_path: Path) -> None:
    with archive(200) as (url, shown):
        found = node.archive(make_settings(url, tmp_path))
    assert found.level is Level.OK, found.text
    assert shown[0].startswith("Basic ")


def test_an_archive_that_refuses_is_not(tmp_path: Path) -> None:
    with archive(401, "who are you") as (url, _):
        found = node.archive(make_settings(url, tmp_path))
    assert found.level is Level.MISSING
    assert "answers 401" in found.text
    assert found.quoted == "who are you"


PORTS = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F6A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:1F6B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 00000000:1F6C 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
"""


def test_only_ports_that_listen_on_all_interfaces_count(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(PORTS)
    assert ports_open_everywhere((tmp_path / "tcp", tmp_path / "tcp6")) == {8042}
    with socket.create_server(("127.0.0.1", 0)) as here:
        assert here.getsockname()[1] not in ports_open_everywhere()


@pytest.mark.parametrize(
    ("url", "noted"),
    [
        ("http://127.0.0.1:8042/dicom-web", True),
        ("http://localhost:8042/dicom-web", True),
        ("http://127.0.0.1:8043/dicom-web", False),
        ("http://pacs.example:8042/dicom-web", False),
    ],
)
def test_an_archive_on_this_machine_that_listens_on_all_interfaces_is_noted(
    url: str, noted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "ports_open_everywhere", lambda: {8042})
    found = node.archive_port(make_settings(url, tmp_path))
    assert (found is not None) is noted
    assert found is None or "port 8042 listens on all interfaces" in found.text


CLOSED = dict.fromkeys(PERMISSIONS, False)


@pytest.mark.parametrize(
    ("known", "level", "said"),
    [
        ({"CT": CLOSED, "PACS": CLOSED}, Level.OK, "none of 2 may query or retrieve"),
        ({"CT": CLOSED, "WS": {**CLOSED, "AllowMove": True}}, Level.NOTE, "WS has AllowMove: whoever"),
        (
            {"CT": {"AET": "CT"}},
            Level.NOTE,
            "CT has AllowFind, AllowFindWorklist, AllowGet, AllowMove: whoever",
        ),
        (["CT"], Level.NOTE, "does not list them to admin"),
    ],
)
def test_modalities_that_may_read_the_archive_are_noted_wherever_orthanc_keeps_them(
    known: object, level: Level, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NULLSPLAT_ADMIN_PASSWORD", "of the administrator")
    with archive(200, json.dumps(known)) as (url, shown):
        found = modalities(make_settings(url, tmp_path))
    assert found is not None
    assert found.level is level
    assert said in found.text
    assert b64decode(shown[0].partition(" ")[2]) == b"admin:of the administrator"


def test_modalities_are_not_asked_for_without_the_administrators_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NULLSPLAT_ADMIN_PASSWORD", raising=False)
    with archive(200) as (url, shown):
        assert modalities(make_settings(url, tmp_path)) is None
    assert not shown
    monkeypatch.setenv("NULLSPLAT_ADMIN_PASSWORD", "x")
    found = modalities(make_settings(url, tmp_path))  # which answers no more
    assert found is not None
    assert found.level is Level.NOTE


def test_what_does_not_answer_is_named_with_a_remedy(tmp_path: Path) -> None:
    settings = make_settings(f"http://127.0.0.1:{free_port()}/dicom-web", tmp_path)
    found = node.archive(settings)
    assert found.level is Level.MISSING
    assert "NULLSPLAT_ARCHIVE_URL" in found.text
    assert "nullsplat serve" in node.engine(settings).text


def test_an_engine_that_is_not_ready_says_itself_what_it_misses(tmp_path: Path) -> None:
    answer = '{"ok": false, "checks": {"spool": "ok", "worker": "no worker is alive; start one"}}'
    with archive(503, answer) as (url, _):
        settings = make_settings(url, tmp_path).model_copy(update={"port": urlsplit(url).port})
        found = node.engine(settings)
    assert found.level is Level.MISSING
    assert found.text.endswith("/readyz is not ready")
    assert found.quoted == "worker: no worker is alive; start one"


def test_a_setting_of_the_plugin_alone_asks_nothing_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NULLSPLAT_RULES_FILE", "/etc/nullsplat/rules.toml")
    assert node.settings_findings()[1].level is Level.NOTE


def test_settings_are_only_looked_at_where_somebody_set_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert node.settings_findings()[1].level is Level.NOTE
    monkeypatch.setenv("NULLSPLAT_PORT", "99999")
    settings, found = node.settings_findings()
    assert settings is None
    assert found.level is Level.MISSING
    assert "NULLSPLAT_PORT" in found.text


def test_certificates_that_cannot_be_used_are_findings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in (
        ("SECRET", "0123456789abcdef"),
        ("ARCHIVE_URL", "https://a/dicom-web"),
        ("SPOOL", tmp_path),
    ):
        monkeypatch.setenv(f"NULLSPLAT_{name}", str(value))
    monkeypatch.setenv("NULLSPLAT_ARCHIVE_CA_FILE", str(tmp_path / "ca.crt"))
    assert "NULLSPLAT_ARCHIVE_CA_FILE must name a readable file" in node.settings_findings()[1].text
    lost = make_settings("http://a/dicom-web", tmp_path).model_copy(
        update={"tls_certificate_file": tmp_path / "e.crt"}
    )
    assert "NULLSPLAT_TLS_CERTIFICATE_FILE must name a readable certificate" in node.engine(lost).text


@pytest.mark.parametrize(("level", "code"), [(Level.OK, 0), (Level.NOTE, 0), (Level.MISSING, 1)])
def test_only_what_is_needed_decides_the_exit_code(
    level: Level, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "findings", lambda: [Finding("Something", level, "text with [brackets]")])
    assert doctor.run() == code
    assert "text with [brackets]" in capsys.readouterr().out

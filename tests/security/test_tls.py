"""Every connection of a node by TLS, set up from the shipped examples; and what is said when a certificate is wrong."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI
from tests.support.plugin.series import ct_series
from tests.support.security.authority import Authority
from tests.support.security.node import (
    SECRET,
    SecureNode,
    engine_environment,
    engine_settings,
    listening_pacs,
    send,
    serving_api,
)
from tests.support.service.engine import wait_for

from nullsplat.cli.checks import node as checks
from nullsplat.cli.checks.findings import Level
from nullsplat.core.errors import ArchiveError, ConfigurationError
from nullsplat.dicomweb.archive import Archive
from nullsplat.service.api.server import server_configuration
from nullsplat_node.checks import SettingsError
from nullsplat_node.engine.client import EngineClient, EngineUnreachable
from nullsplat_node.settings import read_settings

pytestmark = [
    pytest.mark.orthanc,
    # pynetdicom leaves sockets of refused associations to the garbage collector, which comes when it likes.
    pytest.mark.filterwarnings("ignore:unclosed <:ResourceWarning"),
]

ROOT = Path(__file__).resolve().parents[2]


def test_a_series_goes_round_the_whole_node_by_tls_alone(node: SecureNode) -> None:
    made = ct_series(6)
    assert send(node.dicom_port, made, node.authority.client())
    series = node.series(made[0].SeriesInstanceUID)
    shown = node.wait(f"/nullsplat/series/{series}", state="done")
    derived = shown["derived"]
    assert derived["instances"] == 12
    listed = node.get(f"/series/{derived['series']}/instances")
    uids = {one["MainDicomTags"]["SOPInstanceUID"] for one in listed}
    assert len(uids) == 12
    assert node.pacs.received >= uids
    assert [route["state"] for route in shown["routes"]] == ["delivered"]


def test_scanners_without_a_trusted_certificate_are_turned_away(
    node: SecureNode, stranger: Authority
) -> None:
    made = ct_series(3)
    assert not send(node.dicom_port, made, None)
    assert not send(node.dicom_port, made, stranger.client(trusted=node.authority))
    assert not send(node.dicom_port, made, stranger.client())  # it does not trust Orthanc either
    assert node.call("POST", "/tools/lookup", made[0].SeriesInstanceUID.encode())[1] == []
    for reason in ("wrong version number", "certificate verify failed", "tlsv1 alert unknown ca"):
        wait_for(lambda reason=reason: f"TLS error: {reason}" in node.log, what=f"a line about {reason}")


def test_orthanc_says_that_a_pacs_is_not_trusted(node: SecureNode, stranger: Authority) -> None:
    with listening_pacs(stranger.server(trusted=node.authority)) as other:
        modality = {"AET": "PACS", "Host": "127.0.0.1", "Port": other.port, "UseDicomTls": True}
        assert node.call("PUT", "/modalities/OTHER", json.dumps(modality).encode())[0] == 200
        status, said = node.call("POST", "/modalities/OTHER/echo", b"{}")
    assert status == 500
    assert "TLS error: certificate verify failed" in said


def test_the_plugin_says_that_the_engine_is_not_trusted(node: SecureNode, stranger: Authority) -> None:
    client = EngineClient(node.settings.url, SECRET, 60, str(stranger.ca_file))
    with pytest.raises(EngineUnreachable, match=r"not trusted.*EngineCaFile"):
        client.version()
    plain = EngineClient(node.settings.url.replace("https", "http"), SECRET, 60)
    with pytest.raises(EngineUnreachable):
        plain.version()


def test_the_engine_says_that_the_archive_is_not_trusted(node: SecureNode, stranger: Authority) -> None:
    environment = {**node.environment, "NULLSPLAT_ARCHIVE_CA_FILE": str(stranger.ca_file)}
    archive = Archive(engine_settings(environment).archive)
    with pytest.raises(
        ArchiveError, match=r"not trusted \(unable to get local issuer.*NULLSPLAT_ARCHIVE_CA_FILE"
    ):
        archive.holding("1.2.3", "1.2.4")
    archive.close()


def test_a_client_that_begins_tls_and_does_not_go_on_is_cut_off(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nullsplat.service.api.connections.HANDSHAKE_SECONDS", 0.5)
    settings = engine_settings(engine_environment(tmp_path, authority, "https://127.0.0.1:9/dicom-web"))
    with (
        serving_api(settings, tmp_path / "control"),
        socket.create_connection((settings.host, settings.port), timeout=60) as silent,
    ):
        assert silent.recv(1) == b""


@pytest.mark.parametrize(
    ("certificate", "key"), [("ca", "engine"), ("nowhere", "engine"), ("engine", "engine.crt")]
)
def test_a_certificate_that_cannot_be_used_stops_the_engine_with_the_settings_name(
    tmp_path: Path, authority: Authority, certificate: str, key: str
) -> None:
    environment = engine_environment(tmp_path, authority, "https://127.0.0.1:9/dicom-web")
    environment["NULLSPLAT_TLS_CERTIFICATE_FILE"] = str(authority.certificate(certificate))
    environment["NULLSPLAT_TLS_KEY_FILE"] = str(authority.folder / key)
    with pytest.raises(ConfigurationError, match="NULLSPLAT_TLS_CERTIFICATE_FILE and NULLSPLAT_TLS_KEY_FILE"):
        server_configuration(FastAPI(), engine_settings(environment))


def test_a_key_with_a_password_is_refused_and_not_asked_for(tmp_path: Path, authority: Authority) -> None:
    locked = tmp_path / "locked.key"
    command = ["openssl", "ec", "-aes256", "-passout", "pass:telltale", "-in", str(authority.key("engine"))]
    subprocess.run([*command, "-out", str(locked)], check=True, capture_output=True)
    environment = engine_environment(tmp_path, authority, "https://127.0.0.1:9/dicom-web")
    with pytest.raises(ConfigurationError, match="without password"):
        server_configuration(
            FastAPI(), engine_settings({**environment, "NULLSPLAT_TLS_KEY_FILE": str(locked)})
        )


def test_certificate_and_key_belong_together(tmp_path: Path, authority: Authority) -> None:
    environment = engine_environment(tmp_path, authority, "https://127.0.0.1:9/dicom-web")
    del environment["NULLSPLAT_TLS_KEY_FILE"]
    with pytest.raises(ConfigurationError, match="must be set together"):
        engine_settings(environment)


@pytest.mark.parametrize(
    ("url", "file", "words"),
    [
        ("https://e", "nowhere", "must be a readable file of PEM certificates"),
        ("https://e", "engine.key", "must be a readable file of PEM certificates"),
        ("http://e", "ca.crt", "needs an EngineUrl that begins with https"),
    ],
)
def test_the_plugin_names_a_ca_file_that_cannot_be_used(
    authority: Authority, url: str, file: str, words: str
) -> None:
    section = {"EngineUrl": url, "EngineCaFile": str(authority.folder / file)}
    configuration = {"UserMetadata": {"NullSplat": 4701}, "NullSplat": section}
    with pytest.raises(SettingsError, match=f"EngineCaFile {words}"):
        read_settings(configuration, {"NULLSPLAT_SECRET": SECRET})


def test_the_health_check_of_a_container_speaks_tls_where_the_engine_does(node: SecureNode) -> None:
    script = [sys.executable, str(ROOT / "docker/engine/healthy.py"), "serve"]
    plain = {"PATH": os.environ["PATH"], "NULLSPLAT_PORT": str(node.settings.port)}
    encrypted = plain | {"NULLSPLAT_TLS_CERTIFICATE_FILE": str(node.settings.tls_certificate_file)}
    for environment, code in ((plain, 1), (encrypted, 0)):
        assert subprocess.run(script, env=environment, capture_output=True, check=False).returncode == code


def test_doctor_finds_the_engine_by_its_own_certificate(node: SecureNode) -> None:
    finding = checks.engine(node.settings)
    assert finding.level is Level.OK, finding

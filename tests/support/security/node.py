"""A node of which every connection between its parts is encrypted, set up from the examples in orthanc-config/."""

import gc
import json
import os
import signal
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import uvicorn
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]
from tests.support.plugin.node import QUICK
from tests.support.security.authority import Authority
from tests.support.security.proxy import start_nginx
from tests.support.service.engine import Forge, wait_for
from tests.support.service.fast_processing import FastProcessing

from nullsplat.cli.checks import node as checks
from nullsplat.cli.checks.findings import Level
from nullsplat.node.configuration import (
    configuration_folder,
    overlay,
    plugin_folder,
    read_configuration,
    read_file,
)
from nullsplat.node.orthanc import installed_orthanc
from nullsplat.node.processes import Child, free_port, start
from nullsplat.service.api.server import application, listening_socket, server_configuration
from nullsplat.service.settings import Settings

SECRET, ADMIN, ENGINE = "telltale-shared-secret", "telltale-admin-password", "telltale-engine-password"
SECRETS = (SECRET, ADMIN, ENGINE)


@dataclass
class Pacs:
    """Where results are routed to.

    Attributes:
        received: SOP Instance UIDs.
    """

    port: int
    received: set[str]


@dataclass
class SecureNode:
    """The whole arrangement.

    Attributes:
        folder: logs and data.
        settings: of the engine.
        environment: by which the engine's processes are told their settings.
    """

    folder: Path
    authority: Authority
    orthanc: Child
    https_port: int
    dicom_port: int
    settings: Settings
    environment: dict[str, str]
    pacs: Pacs

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.https_port}"

    @property
    def log(self) -> str:
        return self.orthanc.log.read_text()

    def get(self, path: str) -> Any:
        """What Orthanc answers a person."""
        return self.call("GET", path)[1]

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        token = b64encode(f"admin:{ADMIN}".encode()).decode()
        request = Request(self.url + path, body, {"Authorization": f"Basic {token}"}, method=method)  # noqa: S310
        trusted = ssl.create_default_context(cafile=self.authority.ca_file)
        try:
            with urlopen(request, timeout=60, context=trusted) as answer:  # noqa: S310
                content = answer.read()
                return answer.status, json.loads(content) if content.startswith(
                    (b"{", b"[")
                ) else content.decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def series(self, uid: str) -> str:
        """Orthanc's identifier of the series."""
        found = self.call("POST", "/tools/lookup", uid.encode())[1]
        return str(next(one["ID"] for one in found if one["Type"] == "Series"))

    def wait(self, path: str, **wanted: Any) -> dict[str, Any]:
        """Wait until what the path answers has these values."""

        def reached() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.get(path)
            return shown if all(shown.get(name) == value for name, value in wanted.items()) else None

        try:
            shown: dict[str, Any] = wait_for(reached, what=f"{path} {wanted}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.get(path)}\n{self.log[-4000:]}") from error
        return shown


def send(port: int, datasets: Sequence[Dataset], tls: ssl.SSLContext | None) -> bool:
    """C-STORE the data sets as a scanner, the last first as in plugin/node.py; whether Orthanc accepted the association."""
    entity = AE(ae_title="SCANNER")
    syntaxes = sorted({one.file_meta.TransferSyntaxUID for one in datasets})
    entity.requested_contexts = [build_context(CTImageStorage, syntaxes)]
    entity.acse_timeout = entity.connection_timeout = 10
    arguments = (tls, "127.0.0.1") if tls else None
    association = entity.associate("127.0.0.1", port, ae_title="NULLSPLAT", tls_args=arguments)
    if not association.is_established:
        return False
    for dataset in (*datasets[-1:], *datasets[:-1]):
        assert association.send_c_store(dataset).Status == 0
    association.release()
    return True


@contextmanager
def listening_pacs(tls: ssl.SSLContext) -> Iterator[Pacs]:
    """A PACS that takes CT images by TLS only."""
    pacs = Pacs(free_port(), set())

    def store(event: evt.Event) -> int:
        pacs.received.add(str(event.request.AffectedSOPInstanceUID))
        return 0

    entity = AE(ae_title="PACS")
    entity.add_supported_context(CTImageStorage)
    server = entity.start_server(
        ("127.0.0.1", pacs.port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)], ssl_context=tls
    )
    assert server is not None
    yield pacs
    server.shutdown()
    gc.collect()  # what pynetdicom left open, while the test that it comes from bears with that


@contextmanager
def serving_api(settings: Settings, control: Path) -> Iterator[None]:
    """The engine's API as `nullsplat serve` runs it, in a thread."""
    settings.prepare_spool()
    with application(settings, FastProcessing(control)) as app:
        server = uvicorn.Server(server_configuration(app, settings))
        listener = listening_socket(settings.host, settings.port)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_for(lambda: server.started, what="the API")
        yield
        server.should_exit = True
        thread.join(10)
        listener.close()


def running_node(folder: Path, authority: Authority, forge: Forge, stack: ExitStack) -> SecureNode:
    """Start everything; ended with `stack`."""
    https_port, http_port, dicom_port = free_port(), free_port(), free_port()
    pacs = stack.enter_context(listening_pacs(authority.server()))
    environment = engine_environment(folder, authority, f"https://127.0.0.1:{https_port}/dicom-web")
    settings = engine_settings(environment)
    stack.enter_context(serving_api(settings, folder / "control"))
    orthanc = _start_orthanc(folder, authority, settings.url, (http_port, dicom_port, pacs.port))
    stack.callback(orthanc.process.wait)
    stack.callback(orthanc.process.kill)  # its regular end takes seconds
    nginx = start_nginx(folder / "nginx", authority, https_port, http_port)
    stack.callback(nginx.stop)
    node = SecureNode(folder, authority, orthanc, https_port, dicom_port, settings, environment, pacs)
    wait_for(lambda: _answers(node), what="Orthanc")
    worker = forge.ask(start=environment, control=str(folder / "control"), log=str(folder / "worker.log"))
    stack.callback(forge.ask, wait=worker)
    stack.callback(os.kill, worker, signal.SIGKILL)
    wait_for(lambda: checks.engine(settings).level is Level.OK, what="the worker")
    return node


def engine_environment(folder: Path, authority: Authority, archive_url: str) -> dict[str, str]:
    """What the engine's processes are told."""
    return {
        "NULLSPLAT_ARCHIVE_URL": archive_url,
        "NULLSPLAT_ARCHIVE_USERNAME": "engine",
        "NULLSPLAT_ARCHIVE_PASSWORD": ENGINE,
        "NULLSPLAT_ARCHIVE_CA_FILE": str(authority.ca_file),
        "NULLSPLAT_SECRET": SECRET,
        "NULLSPLAT_PORT": str(free_port()),
        "NULLSPLAT_TLS_CERTIFICATE_FILE": str(authority.certificate("engine")),
        "NULLSPLAT_TLS_KEY_FILE": str(authority.key("engine")),
        "NULLSPLAT_SPOOL": str(folder / "spool"),
        "NULLSPLAT_SPOOL_RESERVE_MIB": "0",
        "NULLSPLAT_DEVICE": "cpu",
        "NULLSPLAT_LOG_LEVEL": "DEBUG",
    }


def engine_settings(environment: dict[str, str]) -> Settings:
    """The settings that the environment describes."""
    return Settings(**{name.removeprefix("NULLSPLAT_").lower(): value for name, value in environment.items()})


def _start_orthanc(folder: Path, authority: Authority, engine_url: str, ports: tuple[int, int, int]) -> Child:
    http_port, dicom_port, pacs_port = ports
    shipped = configuration_folder()
    encrypted = overlay(read_configuration(shipped), read_file(shipped / "tls.json.example"))
    own = {
        "StorageDirectory": str(folder / "archive"),
        "HttpPort": http_port,
        "DicomPort": dicom_port,
        "StableAge": 1,
        "DicomModalities": {
            "SCANNER": {"AET": "SCANNER", "Host": "127.0.0.1", "Port": 104, "UseDicomTls": True},
            "PACS": {"AET": "PACS", "Host": "127.0.0.1", "Port": pacs_port, "UseDicomTls": True},
        },
        "NullSplat": {**QUICK, "Destinations": ["PACS"]},
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(overlay(encrypted, own)))
    environment = {
        "NULLSPLAT_ADMIN_PASSWORD": ADMIN,
        "NULLSPLAT_ENGINE_PASSWORD": ENGINE,
        "NULLSPLAT_SECRET": SECRET,
        "NULLSPLAT_ENGINE_URL": engine_url,
        "NULLSPLAT_ENGINE_CA_FILE": str(authority.ca_file),
        "NULLSPLAT_PLUGIN": str(plugin_folder()),
        "NULLSPLAT_DICOM_CERTIFICATE": str(authority.certificate("orthanc")),
        "NULLSPLAT_DICOM_KEY": str(authority.key("orthanc")),
        "NULLSPLAT_DICOM_CA_FILE": str(authority.ca_file),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return start("Orthanc", [str(installed_orthanc()), str(path)], environment, folder / "orthanc.log")


def _answers(node: SecureNode) -> bool:
    node.orthanc.check()
    try:
        return bool(node.call("GET", "/nullsplat/status")[0] == 200)
    except OSError:  # URLError is one
        return False

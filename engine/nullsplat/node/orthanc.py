"""A real Orthanc with the NullSplat plugin, in its own data folder: for the demonstration and the tests."""

import json
import os
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from nullsplat.core.errors import ConfigurationError
from nullsplat.node.configuration import configuration_folder, overlay, plugin_folder, read_configuration
from nullsplat.node.installation import PLUGIN_FOLDER, installed_orthanc
from nullsplat.node.processes import Child, ChildFailed, Startable, free_port, start

ADMIN, ENGINE = "admin", "engine"
GRANTED = ("AllowEcho", "AllowStore")
WITHHELD = ("AllowFind", "AllowFindWorklist", "AllowGet", "AllowMove", "AllowStorageCommitment")
"""Set to false, because Orthanc grants a modality every permission that its entry leaves out."""
SLOWEST_START = 60.0
"""Seconds. Orthanc itself needs one or two; a busy machine more."""


@dataclass(frozen=True)
class Modality:
    """Another DICOM node, as configured in Orthanc: one that may store here, and that can be sent to."""

    ae_title: str
    host: str
    port: int

    def configuration(self) -> dict[str, Any]:
        """The entry for Orthanc's DicomModalities."""
        address = {"AET": self.ae_title, "Host": self.host, "Port": self.port}
        return {**address, **dict.fromkeys(GRANTED, True), **dict.fromkeys(WITHHELD, False)}


@dataclass(frozen=True)
class NodeSettings:
    """Configuration of the node.

    Attributes:
        folder: data and log; kept between starts.
        admin_password, engine_password: of the users `admin` and `engine`.
        secret: shared with the engine.
        engine_url: base URL of the engine's API.
        modalities: other DICOM nodes by the name that Orthanc gives them.
        overrides: replace parts of `orthanc-config/`, section by section.
        http_port, dicom_port: loopback ports; 0 lets the system choose.
    """

    folder: Path
    admin_password: str = field(repr=False)
    engine_password: str = field(repr=False)
    secret: str = field(repr=False)
    engine_url: str
    modalities: Mapping[str, Modality] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    http_port: int = 0
    dicom_port: int = 0


class OrthancNode(Startable):
    """Starts and ends Orthanc; as a context manager, both.

    Attributes:
        http_port, dicom_port: where it listens; the same over restarts.
        log: what Orthanc and the plugin print.
    """

    def __init__(self, settings: NodeSettings) -> None:
        self.settings = settings
        self.http_port = settings.http_port or free_port()
        self.dicom_port = settings.dicom_port or free_port()
        self.log = settings.folder / "orthanc.log"
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Base URL of Orthanc Explorer and the REST API."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        """Root of the DICOMweb services."""
        return f"{self.url}/dicom-web"

    @property
    def ae_title(self) -> str:
        """Orthanc's DICOM address."""
        return str(self._configuration()["DicomAet"])

    def start(self) -> None:
        """Start Orthanc and wait until it answers.

        Raises:
            ConfigurationError: Orthanc or one of its plugins is not installed, or a port is taken.
            ChildFailed: it ended, or did not answer in time.
        """
        binary = installed_orthanc()
        _check_port_free("HTTP", self.http_port)
        _check_port_free("DICOM", self.dicom_port)
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        path = self.settings.folder / "orthanc.json"
        path.write_text(json.dumps(self._configuration(), indent=2), encoding="utf-8")
        self._child = start("Orthanc", [str(binary), str(path)], self._environment(), self.log)
        self._wait_until_answering(self._child)

    def stop(self, timeout: float = 15.0) -> int | None:
        """End Orthanc, kill it after `timeout` seconds, and return its exit code; None if it was not running."""
        if self._child is None:
            return None
        child, self._child = self._child, None
        child.stop(timeout)
        return child.process.returncode

    def kill(self) -> None:
        """End Orthanc without warning (SIGKILL), as a power cut would."""
        if self._child is not None:
            self._child.process.kill()
            self._child.process.wait()
            self._child = None

    def check(self) -> None:
        """Make sure that it still runs.

        Raises:
            ChildFailed: it has ended.
        """
        if self._child is None:
            raise ChildFailed("Orthanc must be running, it was not started or has been stopped")
        self._child.check()

    def _configuration(self) -> dict[str, Any]:
        own: dict[str, Any] = {
            "StorageDirectory": str(self.settings.folder / "archive"),
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "DicomModalities": {
                name: modality.configuration() for name, modality in self.settings.modalities.items()
            },
        }
        if plugins := os.environ.get(PLUGIN_FOLDER):
            own["Plugins"] = [plugins]
        return overlay(
            overlay(read_configuration(configuration_folder()), own), dict(self.settings.overrides)
        )

    def _environment(self) -> dict[str, str]:
        return {
            "NULLSPLAT_ADMIN_PASSWORD": self.settings.admin_password,
            "NULLSPLAT_ENGINE_PASSWORD": self.settings.engine_password,
            "NULLSPLAT_ENGINE_URL": self.settings.engine_url,
            "NULLSPLAT_SECRET": self.settings.secret,
            "NULLSPLAT_ENGINE_CA_FILE": "",
            "NULLSPLAT_SECRET_FILE": "",
            "NULLSPLAT_RULES_FILE": "",
            "NULLSPLAT_PLUGIN": str(plugin_folder()),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _wait_until_answering(self, child: Child) -> None:
        deadline = time.monotonic() + SLOWEST_START
        try:
            while not self._answers():
                child.check()
                if time.monotonic() > deadline:
                    raise ChildFailed(
                        f"Orthanc must answer within {SLOWEST_START:.0f} s; {child.last_log_line()}"
                    )
                time.sleep(0.1)
        except ChildFailed as failure:
            self.stop()
            raise ChildFailed(_plugin_reason(self.log) or str(failure)) from failure

    def _answers(self) -> bool:
        token = b64encode(f"{ADMIN}:{self.settings.admin_password}".encode()).decode("ascii")
        connection = HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        try:
            connection.request("GET", "/nullsplat/status", headers={"Authorization": f"Basic {token}"})
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def _check_port_free(purpose: str, port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.connect()
    except OSError:
        return
    finally:
        connection.close()
    raise ConfigurationError(
        f"Orthanc's {purpose} port {port} must be free, another program listens there; end it or choose another port"
    )


def _plugin_reason(log: Path) -> str:
    """The plugin's reason in the log why it does not start, empty when there is none."""
    lines = log.read_text(errors="replace").splitlines()
    for number in range(len(lines) - 2, -1, -1):
        if "Error during the installation of the Python script" in lines[number]:
            reason = " ".join(line.strip() for line in lines[number + 1 : number + 3])
            return f"Orthanc must start, but the plugin says: {reason} (log: {log})"
    return ""

"""A whole node of real processes, of which each start may be of another release."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest.mock import patch

import requests
from tests.support.plugin.node import ADMIN, ENGINE, QUICK, SECRET, OrthancAsked

from nullsplat.node.orthanc import ENGINE as ENGINE_USER
from nullsplat.node.orthanc import Modality, NodeSettings, OrthancNode
from nullsplat.node.processes import Child, free_port, start, wait_until_listening

SCRIPT = Path(__file__).with_name("engine.py")
SLICES = 6
"""Of each series."""


class UpgradedNode(OrthancAsked):
    """Orthanc with the plugin, API and workers around one archive, one spool and one database.

    Attributes:
        control: the folder that steers the workers' processing, see `fast_processing.py`.
        spool: the engine's.
    """

    patience = 120.0

    def __init__(self, folder: Path, modalities: Mapping[str, Modality], database: str | None) -> None:
        self._folder, self._port = folder, free_port()
        self.control, self.spool = folder / "control", folder / "spool"
        self.control.mkdir(parents=True)
        scanner = Modality("SCANNER", "127.0.0.1", free_port())
        # A series counts when it is whole, however long a busy machine takes over sending its slices.
        plugin = {**QUICK, "MinSlices": SLICES, "Destinations": list(modalities)}
        settings = NodeSettings(
            folder / "orthanc",
            ADMIN,
            ENGINE,
            SECRET,
            f"http://127.0.0.1:{self._port}",
            {"SCANNER": scanner, **modalities},
            {"StableAge": 1, "DicomScuTimeout": 2, "NullSplat": plugin},
        )
        super().__init__(OrthancNode(settings))
        self._database = {} if database is None else {"NULLSPLAT_DATABASE_URL": database}
        self.children: dict[str, Child] = {}

    def __enter__(self) -> "UpgradedNode":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.orthanc.kill()
        for name in list(self.children):
            self.stop(name)

    def start_orthanc(self, release: Path) -> None:
        """Start Orthanc with the plugin and the configuration of a release."""
        of_release = {
            "plugin_folder": lambda: release / "plugin",
            "configuration_folder": lambda: release / "orthanc-config",
        }
        with patch.multiple("nullsplat.node.orthanc", **of_release):
            self.orthanc.start()

    def start_api(self, release: Path) -> None:
        """Start the API of a release and wait until it listens."""
        child = self._start("api", "api", release)
        wait_until_listening(child, self._port)

    def start_worker(self, release: Path, name: str) -> None:
        """Start a worker of a release; does not wait."""
        self._start(name, "worker", release)

    def stop(self, name: str, *, kill: bool = False) -> None:
        """End a process as a service manager does, or as a power cut does."""
        child = self.children.pop(name)
        if kill:
            child.process.kill()
            child.process.wait()
        child.stop(timeout=60)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """What the engine says of each job."""
        return {job["key"]: job for job in self._ask("/v1/jobs?limit=1000").json()["jobs"]}

    def counted(self) -> dict[str, int]:
        """How many jobs the engine's metrics count, by state."""
        found = re.findall(
            r'^nullsplat_jobs\{state="(\w+)"\} (\d+)', self._ask("/metrics").text, re.MULTILINE
        )
        return {state: int(count) for state, count in found}

    def calls(self) -> list[str]:
        """The stages that were begun, in order."""
        return (self.control / "calls.log").read_text().split()

    def _ask(self, path: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {SECRET}"}
        answer = requests.get(f"http://127.0.0.1:{self._port}{path}", headers=headers, timeout=20)
        answer.raise_for_status()
        return answer

    def _start(self, name: str, role: str, release: Path) -> Child:
        environment = {
            "PYTHONPATH": str(release / "engine"),
            "NUMBA_CACHE_DIR": str(release.parent / "numba"),
            "OMP_NUM_THREADS": "1",
            "NULLSPLAT_PORT": str(self._port),
            "NULLSPLAT_SECRET": SECRET,
            "NULLSPLAT_ARCHIVE_URL": self.orthanc.dicomweb_url,
            "NULLSPLAT_ARCHIVE_USERNAME": ENGINE_USER,
            "NULLSPLAT_ARCHIVE_PASSWORD": ENGINE,
            "NULLSPLAT_DEVICE": "cpu",
            "NULLSPLAT_SPOOL": str(self.spool),
            "NULLSPLAT_SPOOL_RESERVE_MIB": "0",
            "NULLSPLAT_EXECUTOR_ID": name,
            **self._database,
        }
        command = [sys.executable, str(SCRIPT), role, str(release), str(self.control)]
        child = start(name, command, environment, self._folder / f"{name}.log")
        self.children[name] = child
        return child

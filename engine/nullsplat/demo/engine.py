"""The engine as it runs in a hospital: the API and one worker, each a process of its own."""

import sys
from dataclasses import dataclass
from pathlib import Path

from nullsplat.demo.processes import Child, start, wait_until_listening


@dataclass(frozen=True)
class EngineSettings:
    """What the engine's processes are told through their environment.

    Attributes:
        port: loopback port of the API.
        secret: shared with the plugin.
        archive_url: DICOMweb root of the archive.
        archive_username: user of the archive that may only use DICOMweb.
        archive_password: that user's password.
        device: auto, cpu or cuda.
        folder: working folder and logs.
    """

    port: int
    secret: str
    archive_url: str
    archive_username: str
    archive_password: str
    device: str
    folder: Path

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """The settings as environment variables."""
        return {
            "NULLSPLAT_HOST": "127.0.0.1",
            "NULLSPLAT_PORT": str(self.port),
            "NULLSPLAT_SECRET": self.secret,
            "NULLSPLAT_ARCHIVE_URL": self.archive_url,
            "NULLSPLAT_ARCHIVE_USERNAME": self.archive_username,
            "NULLSPLAT_ARCHIVE_PASSWORD": self.archive_password,
            "NULLSPLAT_DEVICE": self.device,
            "NULLSPLAT_SPOOL": str(self.folder / "spool"),
        }


class Engine:
    """Starts and ends the engine's processes."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self._children: list[Child] = []

    def start(self) -> None:
        """Start the API, wait for it, then start the worker.

        Raises:
            ChildFailed: a process ended, or the API does not answer in time.
        """
        api = self._start("engine API", "serve")
        wait_until_listening(api, self.settings.port)
        self._start("worker", "worker")

    def check(self) -> None:
        """Make sure that both still run.

        Raises:
            ChildFailed: one has ended.
        """
        for child in self._children:
            child.check()

    def stop(self) -> None:
        """End the worker first, then the API."""
        while self._children:
            self._children.pop().stop()

    def _start(self, name: str, command: str) -> Child:
        arguments = [sys.executable, "-m", "nullsplat.cli", command]
        log = self.settings.folder / f"{command}.log"
        child = start(name, arguments, self.settings.environment(), log)
        self._children.append(child)
        return child

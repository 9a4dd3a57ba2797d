"""The engine as it runs in a hospital: the API and one worker, each its own process."""

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import requests

from nullsplat.node.loopback import ask
from nullsplat.node.processes import Child, ChildFailed, start, wait_until_listening

SLOWEST_START = 120.0
"""Seconds. The worker loads PyTorch, which takes a while on a slow disk."""


@dataclass(frozen=True)
class EngineSettings:
    """Settings of the engine's processes.

    Attributes:
        port: loopback port of the API.
        secret: shared with the plugin.
        archive_url: DICOMweb root of the archive.
        archive_username: user of the archive, limited to DICOMweb.
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
        """Base URL of the API."""
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
        """Start the API and the worker, and wait until the engine is ready.

        Raises:
            ChildFailed: a process ended, or the engine was not ready in time.
        """
        try:
            api = self._start("engine API", "serve")
            self._start("worker", "worker")
            wait_until_listening(api, self.settings.port)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Make sure that both still run.

        Raises:
            ChildFailed: one has ended.
        """
        for child in self._children:
            child.check()

    def stop(self) -> None:
        """End the worker first, then the API; an impatient second Ctrl-C spares neither."""
        with ExitStack() as stack:
            for child in self._children:
                stack.callback(child.stop)
            self._children = []

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + SLOWEST_START
        while True:
            self.check()
            wrong = self._what_is_wrong()
            if not wrong:
                return
            if time.monotonic() > deadline:
                raise ChildFailed(f"the engine must be ready within {SLOWEST_START:.0f} s, but: {wrong}")
            time.sleep(0.3)

    def _what_is_wrong(self) -> str:
        """Empty when the engine is ready, else what /readyz reports."""
        try:
            answer = ask("GET", f"{self.settings.url}/readyz", timeout=10)
        except requests.RequestException as error:
            return str(error)
        checks: dict[str, str] = answer.json().get("checks", {})
        wrong = [f"{name}: {outcome}" for name, outcome in checks.items() if outcome != "ok"]
        return "" if answer.ok else "; ".join(wrong) or f"status {answer.status_code}"

    def _start(self, name: str, command: str) -> Child:
        arguments = [sys.executable, "-m", "nullsplat.cli", command]
        log = self.settings.folder / f"{command}.log"
        child = start(name, arguments, self.settings.environment(), log)
        self._children.append(child)
        return child

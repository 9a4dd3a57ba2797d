"""Child processes that end with the demonstration, however it ends."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nullsplat.core.errors import NullSplatError

_PR_SET_PDEATHSIG = 1


class ChildFailed(NullSplatError):
    """A process that the demonstration needs has ended, or was not ready in time."""

    code = "child-failed"


class Startable(ABC):
    """Starts on entering a context, and stops on leaving it."""

    @abstractmethod
    def start(self) -> None:
        """Start, or raise."""

    @abstractmethod
    def stop(self) -> object:
        """Stop; may be called at any time."""

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


@dataclass(frozen=True)
class Child:
    """A running process.

    Attributes:
        name: shown in messages.
        process: its handle.
        log: file for its output.
    """

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def check(self) -> None:
        """Make sure that it still runs.

        Raises:
            ChildFailed: it has ended.
        """
        code = self.process.poll()
        if code is not None:
            raise ChildFailed(
                f"{self.name} must keep running, but ended with exit code {code}; {self.last_log_line()}"
            )

    def last_log_line(self) -> str:
        """The last line of its log, and where the log is."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return (
            f"the last line of its log is {lines[-1][:300]!r} (log: {self.log})"
            if lines
            else f"its log {self.log} is empty"
        )

    def stop(self, timeout: float = 15.0) -> None:
        """Send SIGTERM, and SIGKILL after `timeout` seconds."""
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
    """Start a process in its own session, so that Ctrl-C reaches only the demonstration, which then ends it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - the commands are our own
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads hold locks
        )
    return Child(name, process, log)


def wait_until_listening(child: Child, port: int, timeout: float = 60.0) -> None:
    """Wait for `child` to accept connections on a loopback port.

    Raises:
        ChildFailed: it ended, or took longer than `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        child.check()
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise ChildFailed(
        f"{child.name} must listen on port {port} within {timeout:.0f} s; {child.last_log_line()}"
    )


def free_port() -> int:
    """A free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM when the demonstration is killed (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

"""One lane as a process: its command, its log, its end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.lanes.table import LANES, folders_of

ROOT = Path(__file__).resolve().parents[2]
MERCY = 60.0
"""Seconds that an interrupted lane has to end what it started."""


@dataclass(frozen=True)
class Order:
    """What a lane is to do: `niceness` is how far it makes way for others."""

    name: str
    command: tuple[str, ...]
    niceness: int = 0


def order_of_tests(name: str, folder: Path, options: Sequence[str]) -> Order:
    """The pytest run of one lane, which leaves its records in `folder`."""
    records = ("--costs", str(folder / f"{name}.costs.jsonl"), f"--junitxml={folder / name}.xml")
    told = ("--durations=25", "--durations-min=2", "--lane", name)
    places = tuple(f"tests/{place}" for place in folders_of(name))
    command = (sys.executable, "-m", "pytest", *records, *told, *options, *places)
    return Order(name, command, LANES[name].niceness)


@dataclass
class Outcome:
    """How a lane ended; a `code` of 1 until something better is known, so that one that never started is a failure."""

    name: str
    log: Path
    code: int = 1


@dataclass
class Running(Outcome):
    """A lane that has been started."""

    process: subprocess.Popen[bytes] = field(kw_only=True)
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    cpu: float = 0.0

    def poll(self) -> bool:
        """Whether it has ended by now."""
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if pid:
            self.process.returncode = self.code = os.waitstatus_to_exitcode(status)
            self.seconds, self.cpu = time.monotonic() - self.began, usage.ru_utime + usage.ru_stime
        return bool(pid)

    def stop(self) -> None:
        """Interrupt it as Ctrl-C would, so that it ends its own processes; kill what is left after a minute."""
        os.killpg(self.process.pid, signal.SIGINT)
        deadline = time.monotonic() + MERCY
        while not self.poll() and time.monotonic() < deadline:
            time.sleep(0.1)
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.code = self.process.wait()


def start(order: Order, folder: Path) -> Running:
    """Start a lane in a session of its own; what it says goes into a log."""
    log = folder / f"{order.name}.log"
    command = ("nice", "-n", str(order.niceness), *order.command)
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=ROOT, start_new_session=True
        )
    return Running(order.name, log, process=process)


def never_started(order: Order, folder: Path) -> Outcome:
    """A lane whose turn did not come."""
    log = folder / f"{order.name}.log"
    log.write_text("its turn did not come\n")
    return Outcome(order.name, log)

"""The parts of the node, each of which can be killed and started again."""

import secrets
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from nullsplat.node.loopback import ask
from nullsplat.node.orthanc import ADMIN, ENGINE, Modality, NodeSettings, OrthancNode
from nullsplat.node.processes import Child, free_port, start
from soaking.destinations import Destinations
from soaking.disk import SmallDisk
from soaking.people import REGISTERED, ROLES, Question
from soaking.plan import Options
from soaking.scanner import SCANNER
from soaking.scans import FACTOR

SPOOL_MIB, ARCHIVE_MIB, RESERVE_MIB = 192, 256, 16
NO_ROOM_MIB = 10**9
"""A reserve that no disk has: stands for a full disk where none can be mounted."""
STAGE_SECONDS = 0.4
STABLE_AGE = 2
RECONCILE_SECONDS = 2.0
PLUGIN = {
    "Preset": "preview",
    "Scale": [FACTOR, 1, 1],
    "MinSlices": 5,
    "ReconcileInterval": RECONCILE_SECONDS,
    "PollInterval": 0.5,
    "EngineTimeout": 10,
    "RetryFirst": 1,
    "RetryLongest": 10,
    "CommitmentTimeout": 15,
    "Roles": ROLES,
}
RULES = """
[[rule]]
name = "low dose"
match.low_dose = true

[[rule]]
name = "reformats"
match.derived = true
"""
READY_LINE = " is ready"


@dataclass
class Keys:
    """Passwords of one run."""

    admin: str
    engine: str
    secret: str
    people: str


class Parts:
    """Orthanc with the plugin, API, worker, destinations, and the two disks."""

    def __init__(self, options: Options) -> None:
        self.folder = options.folder.absolute()
        self._processing = options.processing
        self.keys = Keys(*(secrets.token_urlsafe(18) for _ in range(4)))
        self.spool = SmallDisk(self.folder / "spool", SPOOL_MIB)
        self.archive = SmallDisk(self.folder / "orthanc" / "archive", ARCHIVE_MIB)
        self.destinations = Destinations(self.folder)
        self.api_port = free_port()
        self._children: dict[str, Child] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Parts":
        with ExitStack() as stack:
            stack.enter_context(self.spool)
            stack.enter_context(self.archive)
            self.destinations.start(stack)
            self.orthanc = OrthancNode(self._node_settings())
            self.destinations.keeper.node = (self.orthanc.ae_title, self.orthanc.dicom_port)
            stack.enter_context(self.orthanc)
            stack.callback(self._stop_engine)
            self.start_api()
            self.start_worker()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start_api(self) -> None:
        """Start the engine's API; does not wait."""
        self._start("api", [sys.executable, "-m", "nullsplat.cli", "serve"])

    def start_worker(self, reserve_mib: int = RESERVE_MIB) -> None:
        """Start the worker; does not wait."""
        command = [sys.executable, "-m", "nullsplat.cli", "worker"]
        if self._processing == "fast":
            script = Path(__file__).with_name("worker.py")
            command = [sys.executable, str(script), str(self.folder / "control"), str(STAGE_SECONDS)]
        self._start("worker", command, NULLSPLAT_SPOOL_RESERVE_MIB=str(reserve_mib))

    def kill(self, name: str) -> None:
        """End a process of the engine, or Orthanc, as a power cut would."""
        if name == "orthanc":
            self.orthanc.kill()
        elif name in self._children:
            child = self._children.pop(name)
            child.process.kill()
            child.process.wait()

    def dead(self) -> list[str]:
        """Processes that ended although nobody killed them."""
        ended = [name for name, child in self._children.items() if child.process.poll() is not None]
        for name in ended:
            del self._children[name]
        return ended

    def is_ready(self, name: str) -> bool:
        """Whether a part that was started does its work again."""
        if name == "api":
            return self.ask_engine("/healthz") is not None
        if name == "worker":
            lines = self._log("worker").read_text(errors="replace").count(READY_LINE)
            return lines > self._ready_before
        return True  # starting Orthanc waits until it answers

    def wait_until_ready(self, patience: float) -> None:
        """Wait for API and worker after the start, for so many seconds: on a busy machine that takes its time."""
        deadline = time.monotonic() + patience
        while not (self.is_ready("api") and self.is_ready("worker")):
            if time.monotonic() > deadline or self.dead():
                raise RuntimeError(f"the engine must be ready within {patience:.0f} s, see {self.folder}")
            time.sleep(0.1)

    def ask_orthanc(self, path: str, body: str | None = None) -> requests.Response | None:
        """The answer of Orthanc's REST API, None while it is away."""
        auth = (ADMIN, self.keys.admin)
        return _ask(self.orthanc.url + path, body, auth=auth)

    def ask_engine(self, path: str) -> requests.Response | None:
        """The answer of the engine's API, None while it is away."""
        headers = {"Authorization": f"Bearer {self.keys.secret}"}
        return _ask(f"http://127.0.0.1:{self.api_port}{path}", None, headers=headers)

    def ask_as(self, question: Question) -> requests.Response | None:
        """Orthanc's answer to somebody's question, whatever it is; None while it is away."""
        password = self.keys.admin if question.user == ADMIN else self.keys.people
        options = {"auth": (question.user, password), "headers": question.headers}
        return _request(question.method, self.orthanc.url + question.path, "{}", **options)

    def _start(self, name: str, command: list[str], **environment: str) -> None:
        if name in self._children:
            return
        log = self._log(name)
        if name == "worker":
            self._ready_before = log.read_text(errors="replace").count(READY_LINE) if log.exists() else 0
        self._children[name] = start(name, command, {**self._environment(), **environment}, log)

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def _stop_engine(self) -> None:
        for name in list(self._children):
            self._children.pop(name).stop()

    def _node_settings(self) -> NodeSettings:
        plugin = {**PLUGIN, **self.destinations.plugin_settings(), "RulesFile": str(self._rules_file())}
        return NodeSettings(
            folder=self.folder / "orthanc",
            admin_password=self.keys.admin,
            engine_password=self.keys.engine,
            secret=self.keys.secret,
            engine_url=f"http://127.0.0.1:{self.api_port}",
            modalities={"SCANNER": Modality(SCANNER, "127.0.0.1", 104)},
            overrides={
                "StableAge": STABLE_AGE,
                "DicomScuTimeout": 3,
                "DicomModalities": self.destinations.modalities(),
                "NullSplat": plugin,
                "RegisteredUsers": dict.fromkeys(REGISTERED, self.keys.people),
            },
        )

    def _rules_file(self) -> Path:
        path = self.folder / "rules.toml"
        path.write_text(RULES)
        return path

    def _environment(self) -> dict[str, Any]:
        return {
            "NULLSPLAT_HOST": "127.0.0.1",
            "NULLSPLAT_PORT": str(self.api_port),
            "NULLSPLAT_SECRET": self.keys.secret,
            "NULLSPLAT_ARCHIVE_URL": self.orthanc.dicomweb_url,
            "NULLSPLAT_ARCHIVE_USERNAME": ENGINE,
            "NULLSPLAT_ARCHIVE_PASSWORD": self.keys.engine,
            "NULLSPLAT_DEVICE": "cpu",
            "NULLSPLAT_SPOOL": str(self.spool.folder),
        }


def _ask(url: str, body: str | None, **options: Any) -> requests.Response | None:
    answer = _request("GET" if body is None else "POST", url, body, **options)
    return answer if answer is not None and answer.ok else None


def _request(method: str, url: str, body: str | None, **options: Any) -> requests.Response | None:
    try:
        return ask(method, url, data=body, timeout=20, **options)
    except requests.RequestException:
        return None

"""The whole node from the built images: Orthanc, API and worker, each in a root filesystem of its own."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.docker.buildah import ROOT, Container
from tests.docker.images import Images

from nullsplat.node.observer import Node
from nullsplat.node.orthanc import Modality
from nullsplat.node.pacs import Pacs
from nullsplat.node.processes import Child, free_port
from nullsplat.node.scanner import Peer

USER = 10001
SCANNER = "CTSCANNER"
SECRETS = "/run/secrets"
SLOWEST_START = 120.0
RULES = """
[[rule]]
name = "thick slices"
preset = "preview"
scale = 4
destinations = ["PACS"]
[rule.match]
slice_thickness = { min = 3 }
"""


class ContainerNode:
    """Starts all parts; as a context manager it also ends them."""

    def __init__(self, images: Images, folder: Path) -> None:
        self._folder = folder
        self.secrets = make_secrets(folder / "secrets")
        self.http, self.dicom, self.api = free_port(), free_port(), free_port()
        self.pacs = Pacs(folder / "pacs")
        self._stack = ExitStack()
        self._images = images
        self.children: dict[str, Child] = {}

    def __enter__(self) -> "ContainerNode":
        """Start; whatever was started is ended when something fails."""
        with self._stack:
            self._stack.enter_context(self.pacs)
            self.orthanc = self._orthanc()
            self.serving, self.working = self._engine(), self._engine()
            self._start("orthanc", self.orthanc)
            self._start("serve", self.serving)
            self._start("worker", self.working, "worker")
            wait_until(self.orthanc.is_healthy, self.check)
            wait_until(self.serving.is_healthy, self.check)
            wait_until(self.worker_is_healthy, self.check)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self._stack.close()

    def check(self) -> None:
        """Raise ChildFailed when a process has ended."""
        for child in self.children.values():
            child.check()

    def worker_is_healthy(self) -> bool:
        """What compose.yaml and the Kubernetes manifests ask a worker."""
        return self.working.is_healthy("python3", "/usr/lib/nullsplat/healthy.py", "worker")

    def stop(self, name: str) -> None:
        """End one part as a container service does: SIGTERM to its first process."""
        child = self.children[name]
        if child.process.poll() is None:
            for process in processes_of(child.process.pid):
                with contextlib.suppress(ProcessLookupError):  # it went with the one before it
                    os.kill(process, signal.SIGTERM)
            child.process.wait(60)

    @property
    def addresses(self) -> Node:
        """Where its parts answer, with the keys to them."""
        url, api = f"http://127.0.0.1:{self.http}", f"http://127.0.0.1:{self.api}"
        return Node(url, "admin", self._secret("admin_password"), api, self._secret("shared_secret"))

    @property
    def peer(self) -> Peer:
        """The node as a scanner sees it."""
        return Peer("127.0.0.1", self.dicom, "NULLSPLAT")

    def _secret(self, name: str) -> str:
        return (self.secrets / name).read_text()

    def _start(self, name: str, container: Container, *command: str) -> None:
        child = container.start(name, self._folder / f"{name}.log", *command)
        self.children[name] = child
        self._stack.callback(self.stop, name)

    def _orthanc(self) -> Container:
        site = self._folder / "site"
        site.mkdir()
        (site / "rules.toml").write_text(RULES)
        (site / "site.json").write_text(json.dumps(self._site()))
        mounts = {
            site: "/etc/nullsplat/site:ro",
            self.secrets: f"{SECRETS}:ro",
            owned(self._folder / "archive"): "/var/lib/orthanc/db-v6",
        }
        environment = {
            "NULLSPLAT_ADMIN_PASSWORD_FILE": f"{SECRETS}/admin_password",
            "NULLSPLAT_ENGINE_PASSWORD_FILE": f"{SECRETS}/engine_password",
            "NULLSPLAT_SECRET_FILE": f"{SECRETS}/shared_secret",
            "NULLSPLAT_ENGINE_URL": f"http://127.0.0.1:{self.api}",
            "NULLSPLAT_RULES_FILE": "/etc/nullsplat/site/rules.toml",
        }
        return Container(self._images.buildah, self._images.orthanc, mounts, environment)

    def _site(self) -> dict[str, object]:
        return {
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            # The test shares the machine's network with the node, which a container does not.
            "RemoteAccessAllowed": False,
            "StableAge": 2,
            "DicomModalities": {
                "SCANNER": Modality(SCANNER, "127.0.0.1", 104).configuration(),
                "PACS": Modality("PACS", "127.0.0.1", self.pacs.port).configuration(),
            },
            "NullSplat": {"MinSlices": 5, "PollInterval": 1},
        }

    def _engine(self) -> Container:
        mounts = {
            self.secrets: f"{SECRETS}:ro",
            owned(self._folder / "spool"): "/var/lib/nullsplat",
            owned(self._folder / "cache"): "/var/cache/nullsplat",
        }
        environment = {
            "NULLSPLAT_HOST": "127.0.0.1",
            "NULLSPLAT_PORT": str(self.api),
            "NULLSPLAT_ARCHIVE_URL": f"http://127.0.0.1:{self.http}/dicom-web",
            "NULLSPLAT_ARCHIVE_USERNAME": "engine",
            "NULLSPLAT_ARCHIVE_PASSWORD_FILE": f"{SECRETS}/engine_password",
            "NULLSPLAT_SECRET_FILE": f"{SECRETS}/shared_secret",
            "OMP_NUM_THREADS": "2",
        }
        return Container(self._images.buildah, self._images.engine, mounts, environment)


def make_secrets(folder: Path) -> Path:
    """What make-secrets.sh makes, in a folder that the containers' user may enter once it is mounted."""
    subprocess.run([ROOT / "docker/make-secrets.sh", folder], check=True, capture_output=True)
    folder.chmod(0o755)  # the whole folder is mounted here, and single files by a container service
    return folder


def owned(folder: Path) -> Path:
    """A folder that belongs to the containers' user, as a fresh volume does."""
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, USER, USER)
    return folder


def processes_of(pid: int) -> list[int]:
    """The processes of the containers' user below `pid`, without buildah's own, whose end would kill the others."""
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            waiting += [int(child) for child in task.read_text().split()]
        process = Path(f"/proc/{parent}")
        with contextlib.suppress(FileNotFoundError):  # it may end at any moment
            if process.stat().st_uid == USER and "buildah" not in (process / "exe").readlink().name:
                found.append(parent)
    return found


def wait_until(condition: Callable[[], bool], check: Callable[[], None]) -> None:
    """Wait for `condition`; `check` raises when waiting is in vain."""
    deadline = time.monotonic() + SLOWEST_START
    while not condition():
        check()
        assert time.monotonic() < deadline, f"{condition} must hold within {SLOWEST_START:.0f} s"
        time.sleep(3)  # each look starts an interpreter, as costly as a second of the start that it waits for

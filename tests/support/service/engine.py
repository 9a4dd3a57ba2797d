"""What the tests drive: an engine made of the API in this process and of worker processes."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
import uvicorn

from nullsplat.service.contract.messages import job_key
from nullsplat.service.folders import JobFolder
from nullsplat.service.worker.turns import images_of, latest

ROOT = Path(__file__).resolve().parents[3]
SECRET = "a-secret-for-tests-only"
PATIENCE = 120.0
HASTE = {
    "nullsplat.service.queue.pausing.POLL": 0.05,
    "nullsplat.service.worker.process.POLL": 0.05,
    "nullsplat.service.worker.process.RECOVERY_INTERVAL": 1.0,
    "nullsplat.service.worker.progress.REPORT_INTERVAL": 0.1,
}
"""Constants of a worker that looks more often than those of a hospital need to."""


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE, what: str = "the condition") -> Any:
    deadline = time.monotonic() + seconds
    while not (outcome := condition()):
        assert time.monotonic() < deadline, f"{what} did not come about within {seconds} s"
        time.sleep(0.05)
    return outcome


class Forge:
    """Starts workers; see `worker_forge.py`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def _open(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.support.service.worker_forge"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **order: Any) -> int:
        self._process = self._process or self._open()
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        if self._process is None:
            return
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Engine:
    """The API in this process, and as many workers as a test starts."""

    def __init__(self, client: httpx.Client, environment: dict[str, str], folder: Path, forge: Forge) -> None:
        self.client = client
        self.environment = environment
        self.folder = folder
        self.control = folder / "control"
        self.spool = folder / "spool"
        self._forge = forge
        self._workers: list[int] = []

    def start_worker(self, patch: dict[str, Any] | None = None, **environment: str) -> int:
        pid = self._forge.ask(
            start={**self.environment, **environment},
            control=str(self.control),
            log=str(self.folder / "worker.log"),
            patch=HASTE | (patch or {}),
        )
        self._workers.append(pid)
        return pid

    def end(self, worker: int, number: int = signal.SIGKILL) -> int:
        """Send a signal, wait for the end, return the exit code."""
        self._workers.remove(worker)
        os.kill(worker, number)
        return self._forge.ask(wait=worker)

    def wait_for_end(self, worker: int) -> int:
        """Wait for the end of a worker that ends by itself, return the exit code."""
        self._workers.remove(worker)
        return self._forge.ask(wait=worker)

    def turn(self, key: str) -> JobFolder:
        """The files of the latest turn at a job."""
        return latest(JobFolder(self.spool / "jobs" / key))

    def has_images(self, key: str) -> bool:
        return bool(images_of(JobFolder(self.spool / "jobs" / key)))

    def forget_everything(self) -> None:
        """Lose all jobs, which must be over, and their folders, as after a new installation."""
        folders = list((self.spool / "jobs").iterdir())
        wait_for(lambda: all((one / "figures.json").exists() for one in folders), what="the end of the jobs")
        with self.database() as connection:
            for table in ("operation_outputs", "workflow_input", "workflow_status", "nullsplat_jobs"):
                connection.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 - constants
        for folder in folders:
            shutil.rmtree(folder)

    @contextlib.contextmanager
    def database(self) -> Iterator[sa.Connection]:
        """A transaction beside those of the engine."""
        database = sa.create_engine(self.environment["NULLSPLAT_DATABASE_URL"])
        with database.begin() as connection:
            if database.dialect.name == "postgresql":
                connection.execute(sa.text("SET search_path TO dbos, public"))
            yield connection
        database.dispose()

    def stop(self) -> None:
        for worker in list(self._workers):
            self.end(worker)

    @property
    def worker_log(self) -> str:
        path = self.folder / "worker.log"
        return path.read_text() if path.exists() else ""

    def calls(self) -> list[str]:
        log = self.control / "calls.log"
        return log.read_text().split() if log.exists() else []

    def hold(self, stage: str) -> None:
        self.control.mkdir(exist_ok=True)
        (self.control / f"hold-{stage}").touch()

    def pace(self) -> None:
        """From now on stage 1 of a job takes as many milliseconds as its seed says."""
        self.control.mkdir(exist_ok=True)
        (self.control / "pace").touch()

    def release(self, stage: str) -> None:
        (self.control / f"hold-{stage}").unlink()

    def killed_in(self, stage: str, request: dict[str, Any], **environment: str) -> str:
        """Order a job, kill its worker in a stage, which stays held, and return the job's key."""
        self.hold(stage)
        victim = self.start_worker(**environment)
        key = self.put(request)
        self.wait_for_stage(key, stage, "running")
        self.end(victim)
        return key

    def post(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        return self.client.post(path, json=body)

    def put(self, request: dict[str, Any]) -> str:
        key = job_key(request)
        response = self.client.put(f"/v1/jobs/{key}", json=request)
        assert response.status_code in (200, 201), response.text
        return key

    def status(self, key: str) -> dict[str, Any]:
        response = self.client.get(f"/v1/jobs/{key}")
        assert response.status_code == 200, response.text
        status: dict[str, Any] = response.json()
        return status

    def wait(self, key: str, *states: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            status = self.status(key)
            return status if status["state"] in states else None

        try:
            return wait_for(reached, what=f"job {states}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.status(key)}\n{self.worker_log}") from None

    def wait_for_stage(self, key: str, name: str, state: str) -> None:
        """Wait for the state of a stage; of one that is held, until it says so, as it is running before it computes."""
        held = (self.control / f"hold-{name}").exists()

        def reached() -> bool:
            stage = next(stage for stage in self.status(key)["stages"] if stage["name"] == name)
            return stage["state"] == state and (not held or stage.get("note") == "held")

        wait_for(reached, what=f"{name} {state}")


class serving:  # noqa: N801 - reads as a statement
    """Serve an application on a free loopback port from a thread."""

    def __init__(self, app: Any) -> None:
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, log_config=None, access_log=False, ws="wsproto"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        wait_for(lambda: self._server.started, what="the API")
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_error: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

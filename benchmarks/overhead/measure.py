"""What the node costs beside computing: a large series through all of it, with processing that does nothing.

    python benchmarks/overhead/measure.py --runs 3 --out overhead.json

Orthanc, plugin, API, worker and PACS are real processes on loopback; the series is made up, of noise, since that
compresses and caches worst. Prints where the time went, the best run and the median.
"""

import argparse
import json
import os
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from pydicom import dcmread

from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from nullsplat.node.installation import orthanc_version
from nullsplat.node.loopback import ask
from nullsplat.node.orthanc import ADMIN, ENGINE, Modality, NodeSettings, OrthancNode
from nullsplat.node.pacs import Pacs
from nullsplat.node.processes import free_port, start, wait_until_listening
from nullsplat.node.scanner import Peer, send

SCANNER = "CTSCANNER"
STABLE_AGE = 3
GRAIN = 1.0
"""Orthanc notes when the last instance came in whole seconds, so the plugin waits for one more."""
LONGEST = 900.0
TRANSPORT = ("fetch", "store")


class Node:
    """All processes, with what is needed to ask them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        secret, admin, engine = (secrets.token_urlsafe(18) for _ in range(3))
        self.pacs = stack.enter_context(Pacs(folder / "pacs"))
        port = free_port()
        self.url, self.secret, self.admin = f"http://127.0.0.1:{port}", secret, admin
        modalities = {
            "SCANNER": Modality(SCANNER, "127.0.0.1", 104),
            "PACS": Modality(self.pacs.ae_title, "127.0.0.1", self.pacs.port),
        }
        plugin = {"Scale": [2, 1, 1], "Preset": "preview", "Destinations": ["PACS"], "PollInterval": 1}
        self.orthanc = OrthancNode(
            NodeSettings(
                folder / "orthanc", admin, engine, secret, self.url, modalities,
                {"StableAge": STABLE_AGE, "NullSplat": plugin},
            )
        )  # fmt: skip
        before = _children()
        stack.enter_context(self.orthanc)
        self.processes = {"Orthanc": (_children() - before).pop()}
        environment = {
            "NULLSPLAT_PORT": str(port),
            "NULLSPLAT_SECRET": secret,
            "NULLSPLAT_ARCHIVE_URL": self.orthanc.dicomweb_url,
            "NULLSPLAT_ARCHIVE_USERNAME": ENGINE,
            "NULLSPLAT_ARCHIVE_PASSWORD": engine,
            "NULLSPLAT_SPOOL": str(folder / "spool"),
        }
        api = start("API", [sys.executable, "-m", "nullsplat.cli", "serve"], environment, folder / "api.log")
        stack.callback(api.stop)
        worker = start(
            "worker",
            [sys.executable, str(Path(__file__).with_name("worker.py"))],
            environment,
            folder / "worker.log",
        )
        stack.callback(worker.stop)
        self.processes |= {"worker": worker.process.pid, "API": api.process.pid}
        wait_until_listening(api, port, LONGEST)
        self._until(lambda: " is ready" in (folder / "worker.log").read_text(), "the worker")

    def series(self, uid: str) -> str:
        """Orthanc's identifier of a series."""
        found = self._orthanc("POST", "/tools/lookup", uid)
        return str(next(one["ID"] for one in found if one["Type"] == "Series"))

    def finished(self, series: str) -> dict[str, Any]:
        """Wait until the series is done, and return what the plugin remembers about it."""
        state: dict[str, Any] = {}

        def done() -> bool:
            shown = self._orthanc("GET", f"/series/{series}/metadata?expand").get("NullSplat", "{}")
            state.update(json.loads(shown))
            if state.get("phase") in ("failed", "ineligible"):
                raise RuntimeError(f"the series must be done, but: {state['message']}")
            return state.get("phase") == "done"

        self._until(done, "the series")
        return state

    def last_update(self, series: str) -> float:
        """When the last instance came, seconds since the epoch."""
        stamp = self._orthanc("GET", f"/series/{series}/metadata?expand")["LastUpdate"]
        moment = time.strptime(stamp, "%Y%m%dT%H%M%S")
        return time.mktime(moment) - time.timezone

    def job(self, key: str) -> dict[str, Any]:
        """The engine's job_status."""
        answer = _ask("GET", f"{self.url}/v1/jobs/{key}", headers={"Authorization": f"Bearer {self.secret}"})
        return dict(answer)

    def _orthanc(self, method: str, path: str, body: str | None = None) -> Any:
        return _ask(method, self.orthanc.url + path, data=body, auth=(ADMIN, self.admin))

    @staticmethod
    def _until(condition: Any, what: str) -> None:
        deadline = time.monotonic() + LONGEST
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} must be ready within {LONGEST:.0f} s")
            time.sleep(0.2)


def _ask(method: str, url: str, **options: Any) -> Any:
    answer = ask(method, url, timeout=120, **options)
    answer.raise_for_status()
    return answer.json()


def measure(node: Node, folder: Path, shape: tuple[int, int, int], seed: int) -> dict[str, float]:
    """Send one series and return what each step took, in seconds."""
    hu = np.random.default_rng(seed).integers(-1000, 1000, shape).astype(np.float32)
    volume = Volume(hu, Geometry(shape, (1.0, 0.7, 0.7)))
    files = write_ct_series(volume, folder / f"scan-{seed}", SeriesDescription(seed=seed))
    began = time.time()
    send(files, Peer("127.0.0.1", node.orthanc.dicom_port, node.orthanc.ae_title), SCANNER)
    sent, used = time.time(), _processor_seconds(node)
    uid = _series_uid(files[0])
    series = node.series(uid)
    state = node.finished(series)
    used = {name: after - used[name] for name, after in _processor_seconds(node).items()}
    times = {words.partition(":")[0]: at for at, words in state["history"]}
    taken, handed = times["taken as attempt 1"], times["handed over to the engine"]
    finished, here = times["the engine has finished"], times["the result is here"]
    delivered = times["delivered"]
    stages = {stage["name"]: stage["seconds"] for stage in node.job(state["key"])["stages"]}
    stable = node.last_update(series) + STABLE_AGE + GRAIN
    return {
        "C-STORE from the scanner": sent - began,
        "waiting for stability": stable - sent,
        "check": taken - stable,
        "hand-over": handed - taken,
        "fetch": stages["fetch"],
        "empty stages": sum(stages[name] for name in ("stage1", "stage2", "consistency")),
        "derive": stages["derive"],
        "store": stages["store"],
        "queue, polling": finished - handed - sum(stages.values()),
        "check in the archive": here - finished,
        "C-STORE to the PACS": delivered - here,
        "overhead in all": delivered - stable,
        "of it transport to and from the engine": sum(stages[name] for name in TRANSPORT),
        **{f"processor time of {name}": seconds for name, seconds in used.items()},
    }


def _children() -> set[int]:
    """This process's children."""
    tasks = Path("/proc/self/task").iterdir()
    return {int(child) for task in tasks for child in (task / "children").read_text().split()}


def _processor_seconds(node: Node) -> dict[str, float]:
    """What each process has used so far, which others on the machine hardly change."""
    ticks = os.sysconf("SC_CLK_TCK")
    fields = {
        name: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        for name, pid in node.processes.items()
    }
    return {name: (int(stat[11]) + int(stat[12])) / ticks for name, stat in fields.items()}


def _series_uid(file: Path) -> str:
    return str(dcmread(file, stop_before_pixels=True).SeriesInstanceUID)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    shape = (given.slices, given.size, given.size)
    runs = []
    with tempfile.TemporaryDirectory(prefix="nullsplat-overhead-") as temporary, ExitStack() as stack:
        node = Node(Path(temporary), stack)
        for seed in range(1, given.runs + 1):
            load = os.getloadavg()[0]
            runs.append(measure(node, Path(temporary), shape, seed))
            print(f"run {seed}: {runs[-1]['overhead in all']:.1f} s, load before {load:.1f}", flush=True)
    best = min(runs, key=lambda run: run["overhead in all"])
    print(f"\n{orthanc_version()}, {os.cpu_count()} cores, {shape[0]} x {shape[1]} x {shape[2]}\n")
    print(f"{'seconds':<42}{'best run':>10}{'median':>10}")
    for name in best:
        print(f"{name:<42}{best[name]:>10.2f}{median(run[name] for run in runs):>10.2f}")
    if given.out:
        given.out.write_text(json.dumps({"shape": shape, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()

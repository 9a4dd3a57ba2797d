"""What the plugin's calls cost with very many series: the real service over an archive in memory.

    python benchmarks/years/plugin.py --series 200000

Every twentieth series is in each of the states of `TAKEN`, the others are refused; all states are there, as after a restart.
"""

import argparse
import hashlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "plugin")]

from rows import table, timed  # noqa: E402

from nullsplat_node.archive.archive import Archive  # noqa: E402
from nullsplat_node.lifecycle.routing import DELIVERED, Route  # noqa: E402
from nullsplat_node.lifecycle.state import (  # noqa: E402
    CANCELLED,
    DONE,
    FAILED,
    HELD,
    INELIGIBLE,
    UNDELIVERED,
    Result,
    SeriesState,
    encode,
)
from nullsplat_node.settings import read_settings  # noqa: E402
from nullsplat_node.work.context import Log  # noqa: E402
from nullsplat_node.work.service import Service  # noqa: E402

CONFIGURATION = {
    "UserMetadata": {"NullSplat": 4701},
    "NullSplat": {"EngineUrl": "http://127.0.0.1:9", "ReconcileInterval": 3600},
}
SECRET = {"NULLSPLAT_SECRET": "a-secret-for-the-benchmark"}
DELETED = 1000
TAKEN = (DONE, UNDELIVERED, HELD, FAILED, CANCELLED)


class OrthancInMemory:
    """The little of Orthanc that is asked for; every series holds one MR image."""

    class OrthancException(Exception):
        pass

    def __init__(self, count: int, *, known: bool) -> None:
        self.series = [_identifier(number) for number in range(count)]
        self.states = {series: _state(number) for number, series in enumerate(self.series)} if known else {}
        self.looks = self.written = 0

    def RestApiGet(self, path: str) -> bytes:  # noqa: N802
        if path == "/series":
            return json.dumps(self.series).encode()
        series = path.split("/")[2]
        if path.endswith("metadata?expand"):
            self.looks += 1
            stored = {"NullSplat": self.states[series]} if series in self.states else {}
            return json.dumps({"LastUpdate": "20260101T000000", **stored}).encode()
        return json.dumps({"Instances": [series], "MainDicomTags": {"Modality": "MR"}}).encode()

    def RestApiPut(self, path: str, body: bytes) -> bytes:  # noqa: N802
        self.states[path.split("/")[2]] = body.decode()
        self.written += 1
        return b""


def _identifier(number: int) -> str:
    digest = hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def _state(number: int) -> str:
    series = _identifier(number)
    digest, since = hashlib.sha256(series.encode()).hexdigest(), 1.7e9 + number * 7919 % 10**6
    phase = TAKEN[number % 20 // 2] if number % 20 < 2 * len(TAKEN) and number % 2 == 0 else INELIGIBLE
    if phase == INELIGIBLE:
        return encode(SeriesState(INELIGIBLE, since, digest=digest, code="other-modality", message="no CT"))
    request = {"attempt": 1, "fingerprint": digest, "priority": "normal", "parameters": {}}
    routes = (Route("PACS", DELIVERED, series=series), Route("PACS", DELIVERED, series=series, what="SR"))
    result = Result(f"2.25.{number}", series, 100)
    return encode(
        SeriesState(phase, since, digest=digest, request=request, key=digest[:32], result=result, routes=routes,
                    handed_at=since, rule="chest")
    )  # fmt: skip


def _service(orthanc: OrthancInMemory) -> Service:
    quiet = Log(lambda text: None, lambda text: None)
    settings = read_settings(CONFIGURATION, SECRET)
    return Service(Archive(orthanc), settings, quiet, record=lambda entry: None)


def _until(holds: Any) -> str:
    used, begun = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.perf_counter()
    while not holds():
        time.sleep(0.02)
    now = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    return f"{time.perf_counter() - begun:.1f} s ({now - used:.1f} s of CPU)"


def start_up(count: int, *, known: bool) -> tuple[Service, OrthancInMemory, str]:
    """Start the service; returns when every series was looked at."""
    orthanc = OrthancInMemory(count, known=known)
    service = _service(orthanc)
    service.start()
    took = _until(lambda: len(service._store.known()) == count and not len(service._worker._agenda))
    return service, orthanc, took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200_000)
    count = parser.parse_args().series
    shape = []
    for part in (count // 4, count // 2, count):
        service, _, took = start_up(part, known=False)
        service.stop()
        shape.append(f"first look at {part} new series {took}")
    for part in (count // 4, count // 2, count):
        service, orthanc, took = start_up(part, known=True)
        shape.append(f"restart with {part} known series {took}")
        if part < count:
            service.stop()
    rows = [
        timed("GET /nullsplat/status", service.status),
        timed("GET /nullsplat/metrics", service.metrics),
        *(timed(f"GET /nullsplat/overview?group={group}", lambda group=group: service.overview(group))
          for group in ("", "to-look-at", "finished", "not-taken")),
        timed("a store job ended", lambda: service.store_ended("unknown")),
        timed("what was handed over today", lambda: service._store.handed_over("chest", time.time())),
        timed("a look over the whole archive (each ReconcileInterval, in its own thread)", service._worker._round),
    ]  # fmt: skip
    service._worker.look_at_engine()  # wakes its thread
    _until(lambda: not len(service._worker._agenda))
    gone, orthanc.series = orthanc.series[:DELETED], orthanc.series[DELETED:]
    rows.append(
        timed(f"a series was deleted (mean of {DELETED})", lambda: [service._worker._gone(series) for series in gone],
              repeats=1, calls=DELETED)
    )  # fmt: skip
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(table(f"plugin; {count} series; {'; '.join(shape)}; {memory} MB at most", rows))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()

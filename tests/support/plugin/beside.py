"""The service over a make-believe Orthanc, with an engine that stores its results there."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pydicom.dataset import Dataset
from tests.support.plugin.fake_engine import FakeEngine
from tests.support.plugin.fake_orthanc import FakeOrthanc

from nullsplat_node.archive.archive import Archive
from nullsplat_node.settings import read_settings
from nullsplat_node.work.audit import Write
from nullsplat_node.work.context import Log
from nullsplat_node.work.service import Service

SECRET = "a-secret-of-the-tests"
PATIENCE = 60.0


@dataclass
class EngineBeside(FakeEngine):
    """An engine that fetches from, and stores into, the make-believe Orthanc."""

    orthanc: FakeOrthanc = field(default_factory=FakeOrthanc)

    def _fetch(self, request: dict[str, Any]) -> list[Dataset]:
        return self.orthanc.datasets(request["series_instance_uid"])

    def _store(self, study: str, derived: list[Dataset]) -> None:
        self.orthanc.add(derived)


@contextmanager
def running(
    orthanc: FakeOrthanc,
    engine: FakeEngine,
    clock: Callable[[], float] = time.time,
    record: Write | None = None,
    modalities: Sequence[str] = (),
    **settings: object,
) -> Iterator[Service]:
    """The service at work, with quick settings unless `settings` say otherwise."""
    configuration = {
        "UserMetadata": {"NullSplat": 4701},
        "StableAge": 1,
        **({"DicomModalities": {name: {} for name in modalities}} if modalities else {}),
        "NullSplat": {"EngineUrl": engine.url, "MinSlices": 3, "ReconcileInterval": 0.2, "PollInterval": 0.2,
                      "RetryFirst": 0.1, "RetryLongest": 0.2, **settings},
    }  # fmt: skip
    log: list[str] = []
    service = Service(
        Archive(orthanc),
        read_settings(configuration, {"NULLSPLAT_SECRET": SECRET}),
        Log(log.append, log.append),
        record,
        clock=clock,
    )
    service.start()
    yield service
    service.stop()
    assert not [line for line in log if "unexpected" in line]
    assert not [line for line in log if "Test^Case" in line]


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def rounds(orthanc: FakeOrthanc) -> list[int]:
    """At which of its questions the plugin began to look over the whole archive."""
    return [number for number, (_, path) in enumerate(list(orthanc.calls)) if path == "/series"]


def wait_for_rounds(orthanc: FakeOrthanc, count: int) -> None:
    """Wait until the plugin has looked over the whole archive so many times more."""
    before = len(rounds(orthanc))
    wait_until(lambda: len(rounds(orthanc)) >= before + count)


def questions_a_round(orthanc: FakeOrthanc, count: int) -> list[int]:
    """How many questions each of the next rounds takes, however long: ask nothing meanwhile."""
    wait_for_rounds(orthanc, count + 1)
    return [after - before for before, after in pairwise(rounds(orthanc)[-count - 1 :])]

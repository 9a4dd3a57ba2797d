"""A pytest plugin: `--costs FILE` keeps what each test cost, as one JSON object a line.

Waiting is what is left of a test's seconds without its processor time. Processor time hardly depends on what else the
machine does. That of a child process counts where the child has ended, so a module's Orthanc is on its last test's bill;
what all tests of a run share, such as the process that workers are forked from, ends after the last one and has a line of its own.
"""

import json
import os
import time
from collections.abc import Generator
from pathlib import Path

import pytest

COLLECTION = "collection"
END = "the end of what all tests shared"


class Costs:
    """Notes the seconds and the processor seconds of collecting, and of each test with its set-up and teardown."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", buffering=1)
        self._called: tuple[float, float] | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        collected = yield
        self._note(COLLECTION, (processor_seconds(), time.monotonic() - _STARTED), slow=True)
        return collected

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        cpu, began = processor_seconds(), time.monotonic()
        self._called = None
        ran = yield
        ended = processor_seconds(), time.monotonic()
        called = self._called or ended
        self._note(
            item.nodeid,
            (called[0] - cpu, called[1] - began),
            slow=item.get_closest_marker("slow") is not None,
        )
        if called is not ended:
            self._note(END, (ended[0] - called[0], ended[1] - called[1]), slow=True)
        return ran

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, nextitem: pytest.Item | None) -> None:
        if nextitem is None:
            self._called = processor_seconds(), time.monotonic()

    def _note(self, name: str, cost: tuple[float, float], *, slow: bool) -> None:
        cpu, seconds = (round(number, 3) for number in cost)
        self._file.write(json.dumps({"test": name, "seconds": seconds, "cpu": cpu, "slow": slow}) + "\n")

    def pytest_unconfigure(self) -> None:
        self._file.close()


_STARTED = time.monotonic()


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--costs", type=Path, metavar="FILE", help="keep what each test cost in this file")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--costs"):
        config.pluginmanager.register(Costs(path), "costs-of-tests")

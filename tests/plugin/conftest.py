import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "plugin")]

from plugin_support.node import Node, running_node  # noqa: E402


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for a module; its results go to the PACS."""
    with ExitStack() as stack:
        running = running_node(tmp_path_factory.mktemp("node"), stack, Destinations=["PACS"])
        yield running
        assert running.engine.problems == []


@pytest.fixture
def own_node(tmp_path: Path) -> Iterator[Node]:
    """A node that the test may kill."""
    with ExitStack() as stack:
        running = running_node(tmp_path, stack, Destinations=["PACS"])
        yield running
        assert running.engine.problems == []

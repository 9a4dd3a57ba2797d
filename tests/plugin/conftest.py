from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.support.plugin.node import ADMIN, ENGINE, SECRET, Node, running_node


@pytest.fixture(scope="module")
def module_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for a module; its results go to the PACS."""
    with ExitStack() as stack:
        running = running_node(tmp_path_factory.mktemp("node"), stack, Destinations=["PACS"])
        yield running
        log = running.orthanc.log.read_text()
        running.orthanc.kill()  # its regular end takes seconds
    assert running.engine.problems == []
    assert "unexpected" not in log
    for private in ("Test^Case", "TEST-1", SECRET, ADMIN, ENGINE):
        assert private not in log


@pytest.fixture
def node(module_node: Node) -> Node:
    """The module's node, with an engine and a PACS in good order."""
    module_node.engine.hold, module_node.engine.outcome, module_node.engine.secret = (
        False,
        "succeeded",
        SECRET,
    )
    return module_node

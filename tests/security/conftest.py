import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [
    str(HERE),
    *(str(HERE.parent / folder) for folder in ("plugin", "service", "ui")),
    str(ROOT / "plugin"),
]

from bench import Forge  # noqa: E402
from plugin_support.node import Node  # noqa: E402
from security_support.authority import Authority, example_authority  # noqa: E402
from security_support.guarded import RestDescription, guarded_node  # noqa: E402
from security_support.node import SecureNode, running_node  # noqa: E402
from security_support.proxy import why_no_nginx  # noqa: E402


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that all parts of the node trust."""
    return example_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return example_authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecureNode]:
    """Orthanc with the plugin, engine, worker and PACS, each with a certificate and encrypted."""
    if reason := why_no_nginx():
        pytest.skip(reason)
    forge = Forge()
    with ExitStack() as stack:
        stack.callback(forge.close)
        yield running_node(tmp_path_factory.mktemp("node"), authority, forge, stack)


@pytest.fixture(scope="session")
def description(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestDescription]:
    """What Orthanc says about its own routes."""
    with ExitStack() as stack:
        yield RestDescription(tmp_path_factory.mktemp("description"), stack)


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory, description: RestDescription) -> Iterator[Node]:
    """Orthanc with the plugin and one user of each role."""
    with ExitStack() as stack:
        running = guarded_node(tmp_path_factory.mktemp("guarded"), stack)
        yield running
        running.orthanc.kill()  # its regular end takes seconds

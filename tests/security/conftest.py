from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.support.plugin.node import Node
from tests.support.security.authority import Authority, example_authority
from tests.support.security.guarded import RestDescription, guarded_node
from tests.support.security.node import SecureNode, running_node
from tests.support.security.proxy import why_no_nginx
from tests.support.service.engine import Forge


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

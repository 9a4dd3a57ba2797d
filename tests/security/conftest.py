import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "plugin"), str(HERE.parent / "service"), str(ROOT / "plugin")]

from bench import Forge  # noqa: E402
from security_support.authority import Authority, example_authority  # noqa: E402
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

from collections.abc import Iterator

import pytest
from tests.support.ui.archive import BrowserArchive
from tests.support.ui.browser import Browser, chromium, why_not
from tests.support.ui.engine import PacedEngine
from tests.support.ui.site import SECRET, Site, running_site


@pytest.fixture(scope="session")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests; starting it takes seconds."""
    if reason := why_not():
        pytest.skip(reason)
    with chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
def browser(shared_browser: Browser) -> Iterator[Browser]:
    """Chromium, light again afterwards."""
    yield shared_browser
    shared_browser.scheme("light")


@pytest.fixture
def archive() -> BrowserArchive:
    return BrowserArchive()


@pytest.fixture
def engine() -> Iterator[PacedEngine]:
    with PacedEngine(SECRET) as paced:
        yield paced
    assert paced.problems == []


@pytest.fixture
def site(archive: BrowserArchive, engine: PacedEngine) -> Iterator[Site]:
    """A node with an empty archive."""
    with running_site(archive, engine) as running:
        yield running

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "plugin"), str(HERE.parents[1] / "plugin")]

pytest.importorskip(
    "selenium", reason="the browser tests need the Python package selenium (make setup-python)"
)

from ui_support.archive import BrowserArchive  # noqa: E402
from ui_support.browser import Browser, chromium, missing_programs  # noqa: E402
from ui_support.engine import PacedEngine  # noqa: E402
from ui_support.site import SECRET, Site, running_site  # noqa: E402


@pytest.fixture(scope="session")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests; starting it takes seconds."""
    if missing := missing_programs():
        pytest.skip(f"the browser tests need {' and '.join(missing)} (make setup-system; Debian: apt-get install chromium chromium-driver)")  # fmt: skip
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

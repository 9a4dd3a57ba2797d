import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.support.ui.browser import Browser, chromium, why_not

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

SOFTWARE_GRAPHICS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""OHIF draws with WebGL, and a machine for tests has no graphics card."""


@pytest.fixture(scope="session")
def script() -> ModuleType:
    """scripts/viewer.py, which is no package."""
    spec = importlib.util.spec_from_file_location("viewer_script", ROOT / "scripts" / "viewer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def ohif(script: ModuleType) -> Path:
    """The viewer as `make viewer` makes it; fetched once and kept in the checkout's ignored .cache."""
    folder = ROOT / ".cache" / "ohif"
    try:
        script.main(folder)
    except script.NotFetched as reason:
        pytest.skip(f"OHIF is neither in {folder} nor can it be had from the npm registry: {reason}")
    return folder


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    if reason := why_not():
        pytest.skip(reason)
    with chromium(tmp_path / "chromium", *SOFTWARE_GRAPHICS) as started:
        yield started

"""A pytest plugin: `--lane NAME` runs the tests of one lane only."""

from pathlib import Path

import pytest
from tests.lanes.table import LANES, NODE, STARTS_ORTHANC, TESTS, lane_of

MARK = f"mark.{STARTS_ORTHANC}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--lane", choices=LANES, help="run the tests of this lane only; see tests/lanes/table.py"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out, in the lane of those that start an Orthanc, what starts none: importing it takes seconds."""
    if config.getoption("--lane") != NODE or not collection_path.name.startswith("test_"):
        return None
    return None if _looked_into_by_node(collection_path) else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if (wanted := config.getoption("--lane")) is None:
        return
    hidden = [
        item.nodeid for item in items if lane_of_item(item) == NODE and not _looked_into_by_node(item.path)
    ]
    if hidden:
        raise pytest.UsageError(
            f"a test that starts an Orthanc must say pytest.{MARK} in its own file: {hidden[0]}"
        )
    others = [item for item in items if lane_of_item(item) != wanted]
    items[:] = [item for item in items if lane_of_item(item) == wanted]
    config.hook.pytest_deselected(items=others)


def lane_of_item(item: pytest.Item) -> str:
    folder = item.path.relative_to(TESTS).parts[0]
    return lane_of(folder, {marker.name for marker in item.iter_markers()})


def _looked_into_by_node(path: Path) -> bool:
    return path.relative_to(TESTS).parts[0] in LANES[NODE].folders or MARK in path.read_text()

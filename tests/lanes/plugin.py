"""A pytest plugin: `--lane NAME` runs the tests of one lane only."""

import pytest
from tests.lanes.table import NAMES, TESTS, lane_of


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--lane", choices=NAMES, help="run the tests of this lane only; see tests/lanes/table.py"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if (wanted := config.getoption("--lane")) is None:
        return
    others = [item for item in items if lane_of_item(item) != wanted]
    items[:] = [item for item in items if lane_of_item(item) == wanted]
    config.hook.pytest_deselected(items=others)


def lane_of_item(item: pytest.Item) -> str:
    folder = item.path.relative_to(TESTS).parts[0]
    return lane_of(folder, {marker.name for marker in item.iter_markers()})

"""What docs/operations.md and the dashboard say of the metrics is what the code says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nullsplat.service.api.metrics import Metrics
from nullsplat.service.database.schema import open_database
from nullsplat_node.lifecycle.census import Counts
from nullsplat_node.views.metrics import Figures, exposition

ROOT = Path(__file__).resolve().parents[2]

DOCUMENT = (ROOT / "docs/operations.md").read_text()
DASHBOARD = json.loads((ROOT / "docs/grafana-dashboard.json").read_text())
NAME = re.compile(r"\bnullsplat_[a-z_]+\b")


def all_metrics(folder: Path) -> str:
    """What engine and plugin answer a Prometheus, of a node with one destination."""
    engine = open_database(f"sqlite:///{folder / 'x.sqlite'}")
    text = Metrics(engine, folder).text().decode() + exposition(Figures(Counts(), ("PACS",), True, None, 0.0))
    engine.dispose()
    return text


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """All metrics of engine and plugin, as they are called in a query."""
    found = set()
    for family in text_string_to_metric_families(all_metrics(tmp_path_factory.mktemp("metrics"))):
        ending = {"counter": "_total"}.get(family.type, "")
        found.add(family.name + ending if not family.name.endswith(ending) or not ending else family.name)
    return found


def of(name: str) -> str:
    """The metric to which a series of a histogram belongs."""
    return re.sub(r"(_seconds)_(bucket|sum|count)$", r"\1", name)


def queries(board: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_the_dashboard_uses_only_metrics_that_exist(names: set[str]) -> None:
    used = {of(name) for query in queries(DASHBOARD) for name in NAME.findall(query)}
    assert len(used) > 10
    assert used <= names


def test_every_panel_has_a_query_a_place_and_an_id_of_its_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert all(panel["targets"] for panel in panels)


def test_the_document_explains_every_metric_and_no_other(names: set[str]) -> None:
    assert {of(name) for name in NAME.findall(DOCUMENT)} == names

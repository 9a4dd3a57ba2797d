"""The buttons for Orthanc Explorer 2 lead to pages and actions that there are."""

import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from nullsplat.node.configuration import configuration_folder, read_configuration
from nullsplat_node.lifecycle.actions import ACTIONS
from nullsplat_node.web.pages import ASSET_ROUTE
from nullsplat_node.web.rest import SERIES_ROUTE

ROOT = Path(__file__).resolve().parents[2]
SERIES = "01234567-89abcdef-01234567-89abcdef-01234567"
EXPLORER = "http://node/ui/app/index.html"
"""Where Orthanc Explorer 2 is unless its Root says otherwise."""


@pytest.fixture
def buttons(tmp_path: Path) -> list[dict[str, Any]]:
    shutil.copy(configuration_folder() / "explorer2.json.example", tmp_path / "explorer2.json")
    section = read_configuration(tmp_path)["OrthancExplorer2"]
    return list(section["UiOptions"]["CustomButtons"]["series"])


def test_pages_behind_buttons_are_those_of_the_status_page(buttons: list[dict[str, Any]]) -> None:
    app = (ROOT / "plugin/nullsplat_node/ui/app.js").read_text()
    (titles,) = re.findall(r"const TITLES = \{(.*?)\}", app)
    pages = [urlsplit(urljoin(EXPLORER, one["Url"])) for one in buttons if one["HttpMethod"] == "GET"]
    assert len(pages) == 2
    for page in pages:
        assert re.fullmatch(ASSET_ROUTE, page.path)
        assert (ROOT / "plugin/nullsplat_node" / page.path.removeprefix("/nullsplat/")).exists()
        _, name, series = page.fragment.format(UUID=SERIES).split("/")
        assert f" {name}:" in titles
        assert series == SERIES


def test_actions_behind_buttons_are_those_of_the_plugin(buttons: list[dict[str, Any]]) -> None:
    (button,) = [one for one in buttons if one["HttpMethod"] == "POST"]
    address = urljoin(EXPLORER, button["Url"].format(UUID=SERIES))
    assert re.fullmatch(SERIES_ROUTE, urlsplit(address).path)
    assert button["Payload"].keys() == {"action"}
    assert button["Payload"]["action"] in ACTIONS


def test_every_button_has_an_id_of_its_own_and_what_its_kind_needs(buttons: list[dict[str, Any]]) -> None:
    """As Orthanc Explorer 2's own Plugin/DefaultConfiguration.json has them."""
    always = {"HttpMethod", "Id", "Tooltip", "Icon", "Url"}
    kinds = {"GET": always | {"Target"}, "POST": always | {"Payload", "Refresh"}}
    assert all(one.keys() == kinds[one["HttpMethod"]] for one in buttons)
    assert len({one["Id"] for one in buttons}) == len(buttons)


def test_orthanc_does_not_read_the_example_as_it_is() -> None:
    assert "OrthancExplorer2" not in read_configuration(configuration_folder())

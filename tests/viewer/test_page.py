"""The plugin's route for OHIF, and how it finds out whether there is one."""

from pathlib import Path
from typing import Any

import pytest

from nullsplat.node.viewer import viewer_configuration
from nullsplat_node.web import ohif
from nullsplat_node.work.context import Log

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<html>OHIF</html>")
    return tmp_path


def read(configuration: dict[str, Any]) -> tuple[bytes, list[str]]:
    """The page, and what was logged as an error."""
    errors: list[str] = []
    return ohif.read_page(configuration, Log(errors.append, errors.append)), errors


def test_the_shipped_example_is_what_the_plugin_looks_for(folder: Path) -> None:
    configuration = viewer_configuration(folder)
    assert configuration["ServeFolders"]["Extensions"]["wasm"] == "application/wasm"
    assert read(configuration) == (b"<html>OHIF</html>", [])
    assert ohif.is_there(configuration)


def test_without_a_viewer_nothing_is_configured(tmp_path: Path) -> None:
    assert viewer_configuration(tmp_path / "nowhere") == {}
    assert read({}) == (b"", [])
    assert not ohif.is_there({})


def test_a_folder_without_ohif_is_said_and_not_linked(tmp_path: Path) -> None:
    configuration = {"ServeFolders": {"/ohif-app": str(tmp_path)}}
    page, errors = read(configuration)
    assert page == b""
    assert "make viewer" in errors[0]
    assert not ohif.is_there(configuration)


@pytest.mark.parametrize("section", [{"/ohif": "/x"}, {"Folders": {"ohif/": "/x"}, "AllowCache": False}])
def test_somebody_elses_ohif_is_linked_and_not_answered(section: dict[str, Any]) -> None:
    assert ohif.is_there({"ServeFolders": section})
    assert read({"ServeFolders": section}) == (b"", [])


@pytest.mark.parametrize("section", [None, [], "x", {"Folders": []}, {"/ohif-app": 3}, {"/other": "/x"}])
def test_other_sections_are_no_ohif(section: Any) -> None:
    assert not ohif.is_there({"ServeFolders": section})


class Output:
    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.answer: tuple[Any, ...] = ()
        self.SetHttpHeader = self.headers.__setitem__
        self.AnswerBuffer = lambda content, kind: setattr(self, "answer", (content, kind))
        self.SendMethodNotAllowed = lambda allow: setattr(self, "answer", (405, allow))


def test_the_page_lets_the_browser_load_nothing_from_elsewhere() -> None:
    output = Output()
    ohif.send_page(output, {"method": "GET"}, b"page")
    assert output.answer == (b"page", "text/html; charset=utf-8")
    policy = dict(part.strip().split(" ", 1) for part in output.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert not [source for source in policy.values() if "http" in source or "*" in source]
    assert "'unsafe-inline'" not in policy["script-src"]


def test_only_get_is_answered() -> None:
    output = Output()
    ohif.send_page(output, {"method": "POST"}, b"page")
    assert output.answer == (405, "GET")


def test_only_an_ohif_that_has_the_hanging_protocol_is_asked_for_it(folder: Path) -> None:
    configuration = viewer_configuration(folder)
    assert not ohif.hangs_side_by_side(configuration)
    (folder / "app-config.js").write_text("window.config = {};")
    assert not ohif.hangs_side_by_side(configuration)
    (folder / "app-config.js").write_bytes((ROOT / "scripts" / "viewer.config.js").read_bytes())
    assert ohif.hangs_side_by_side(configuration)
    assert not ohif.hangs_side_by_side({"ServeFolders": {"/ohif": str(folder)}})
    assert not ohif.hangs_side_by_side({})

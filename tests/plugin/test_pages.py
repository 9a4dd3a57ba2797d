"""The page's files: only those of its folder, with their type, and not twice."""

import posixpath
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nullsplat_node.web.assets import FOLDER, KINDS, is_current, read_assets
from nullsplat_node.web.pages import ASSET_ROUTE, REDIRECTS, redirect, send_asset

ASSETS = read_assets()


class FakeOutput:
    """Orthanc's RestOutput."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 0, b"", dict[str, str]()

    def AnswerBuffer(self, body: bytes, kind: str) -> None:  # noqa: N802 - Orthanc's names
        self.status, self.body, self.headers["Content-Type"] = 200, body, kind

    def SetHttpHeader(self, name: str, value: str) -> None:  # noqa: N802
        self.headers[name] = value

    def SendHttpStatusCode(self, status: int) -> None:  # noqa: N802
        self.status = status

    def SendMethodNotAllowed(self, allowed: str) -> None:  # noqa: N802
        self.status = 405

    def Redirect(self, where: str) -> None:  # noqa: N802
        self.status, self.headers["Location"] = 301, where


def asked(name: str, method: str = "GET", **headers: str) -> FakeOutput:
    output = FakeOutput()
    given_headers = {key.replace("_", "-"): value for key, value in headers.items()}
    send_asset(output, {"groups": (name,), "method": method, "headers": given_headers})
    return output


@given(
    st.one_of(st.text(), st.from_regex(r"(\.{1,2}|%2e|/|\\|[a-z]){0,12}(\.js|\.py|\.html)?", fullmatch=True))
)
def test_whatever_is_asked_for_only_files_of_the_folder_are_served(name: str) -> None:
    output = asked(name)
    if output.status == 200:
        assert name in ASSETS
        assert output.body == (FOLDER / name).read_bytes()
        assert (FOLDER / name).resolve().parent in (FOLDER, FOLDER / "compare")
    else:
        assert (output.status, output.body) == (404, b"")


@given(st.from_regex(r"/nullsplat/ui/[^\n]{1,40}", fullmatch=True))
def test_the_route_takes_a_name_and_never_another_path(path: str) -> None:
    if match := re.fullmatch(ASSET_ROUTE, path):
        assert "/" not in match[1].removeprefix("compare/")
        assert "\\" not in match[1]
        assert "%" not in match[1]


@pytest.mark.parametrize("name", ASSETS)
def test_a_file_has_its_type_its_tag_and_a_strict_policy(name: str) -> None:
    output = asked(name)
    assert output.headers["Content-Type"] == KINDS[Path(name).suffix]
    assert output.headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(
        part.strip().partition(" ")[::2] for part in output.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert set(policy.values()) <= {"'none'", "'self'"}
    again = asked(name, if_none_match=output.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert asked(name, if_none_match='"another"').status == 200
    assert asked(name, "POST").status == 405


def test_a_tag_is_compared_as_the_standard_says(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    asset = read_assets(tmp_path)["a.js"]
    assert is_current(asset, f'"x", W/{asset.tag}')
    assert is_current(asset, "*")
    assert not any(is_current(asset, given) for given in (None, "", '"x"', asset.tag.strip('"')))
    (tmp_path / "a.js").write_text("2")
    assert read_assets(tmp_path)["a.js"].tag != asset.tag


def test_only_known_kinds_of_file_are_served(tmp_path: Path) -> None:
    for name in ("a.js", "b.py", "c.txt", "d"):
        (tmp_path / name).write_text("x")
    (tmp_path / "e.js").mkdir()
    (tmp_path / "e.js" / "f.css").write_text("x")
    assert set(read_assets(tmp_path)) == {"a.js", "e.js/f.css"}


def test_every_file_that_the_page_names_is_there() -> None:
    named: set[str] = set()
    for name, asset in ASSETS.items():
        text: Any = asset.content.decode()
        names = re.findall(r"from '(\.\.?/[^']+)'", text) if name.endswith(".js") else []
        names += (
            re.findall(r'(?:src|href)="((?:[a-z]+/)?[a-z]+\.[a-z]+)"', text) if name.endswith(".html") else []
        )
        named |= {posixpath.normpath(posixpath.join(posixpath.dirname(name), one)) for one in names}
    assert named <= set(ASSETS)
    assert set(ASSETS) - named == {"index.html"}


def test_every_redirect_is_relative() -> None:
    for path, where in REDIRECTS.items():
        output = FakeOutput()
        redirect(output, path)
        assert (output.status, output.headers["Location"]) == (301, where)
        assert not where.startswith(("/", "http"))

"""The documentation's site: every page has its place, and `make docs` needs nothing but the extra `docs`."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def entries(page: Path) -> set[Path]:
    """The pages that a page lists in its tables of contents, and those that they list."""
    found: set[Path] = set()
    for block in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(), re.M | re.S):
        for line in re.findall(r"^(?!:)(?:.* <)?([^\s>]+)>?$", block, re.M):
            found |= {path.resolve() for path in page.parent.glob(f"{line}.md")}
    return found | {inner for path in found for inner in entries(path)}


def test_every_page_has_its_place_in_the_site() -> None:
    pages = {path.resolve() for path in DOCS.rglob("*.md")} - {DOCS / "index.md"}
    assert pages - entries(DOCS / "index.md") == set()


def test_no_two_pages_have_the_same_title() -> None:
    titles = [page.read_text().splitlines()[0] for page in sorted(DOCS.rglob("*.md"))]
    assert all(title.startswith("# ") for title in titles)
    assert len(set(titles)) == len(titles)


def test_the_site_is_built_with_the_extra_alone() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["docs"]
    packages = {re.split(r"[><=]", one)[0] for one in extra}
    extensions = re.search(r"^extensions = \[(.*)\]", (DOCS / "conf.py").read_text(), re.M)
    assert extensions is not None
    needed = {
        "myst_parser": "myst-parser",
        "autoapi.extension": "sphinx-autoapi",
        "sphinx.ext.napoleon": "sphinx",
    }
    assert set(re.findall(r'"([\w.]+)"', extensions[1])) == set(needed)
    assert packages == {*needed.values(), "furo"}

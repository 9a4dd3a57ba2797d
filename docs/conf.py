"""Settings of Sphinx; `make docs` builds the site into build/site.

The source folder is the repository's root, so that pages may link to everything in it: other pages, and files, which become
downloads. A link that leads nowhere ends the build.
"""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("core", "io", "physics", "prior", "splat", "pipeline", "dicom")
"""Of the engine, those that somebody may want to import; they are read, not imported."""

project = "NullSplat"
author = "The NullSplat authors"
copyright = "The NullSplat authors, Apache-2.0 and AGPL-3.0-or-later"  # noqa: A001 - Sphinx's name
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "docs/**/*.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/**/*.md",
    "engine/nullsplat/prior/**/*.md",
    "build/api/**",
]
extensions = ["myst_parser", "autoapi.extension", "sphinx.ext.napoleon"]
suppress_warnings = ["autoapi.python_import_resolution", "ref.python"]
"""Names of other packages, and names such as `shape` that many classes have."""

myst_enable_extensions = ["attrs_block", "colon_fence"]
myst_heading_anchors = 4
myst_fence_as_directive = []

napoleon_use_ivar = True  # or each attribute of a dataclass would be described twice
default_role = "literal"
autoapi_dirs = [str(ROOT / "engine/nullsplat" / name) for name in PACKAGES]
autoapi_root = "build/api"
autoapi_options = ["members", "show-module-summary", "undoc-members"]
autoapi_add_toctree_entry = False
autoapi_keep_files = True
autoapi_python_use_implicit_namespaces = False
autoapi_member_order = "bysource"


def setup(app: Any) -> None:
    """Let a bar in a docstring, as of an absolute value, be a bar: reStructuredText would look for a substitution."""
    app.connect("autodoc-process-docstring", lambda *given: _escape_bars(given[-1]), priority=900)


def _escape_bars(lines: list[str]) -> None:
    lines[:] = [line if line.startswith("    ") else line.replace("|", "\\|") for line in lines]


toc_object_entries = False
"""Functions and classes stand in the summary at the head of a module's page. In the tree of contents, which the theme copies
for each page, they would take most of the time of a build."""

html_theme = "furo"
html_title = "NullSplat"
html_theme_options = {"navigation_with_keys": True}
html_extra_path = ["site"]
html_show_sourcelink = False
html_copy_source = False

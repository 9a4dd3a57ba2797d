"""The plugin must run in the Python that Orthanc embeds, with nothing installed beside it."""

import ast
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "plugin"
FILES = sorted(PLUGIN.rglob("*.py"))
OWN = {"nullsplat_node", "orthanc"}
SINCE_310 = {
    "pairwise",
    "batched",
    "StrEnum",
    "UTC",
    "Self",
    "TypeAlias",
    "ParamSpec",
    "assert_never",
    "ExceptionGroup",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert not used & SINCE_310
    strict_zips = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.Call) and any(keyword.arg == "strict" for keyword in node.keywords)
    ]  # fmt: skip
    assert not strict_zips


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_imports_the_standard_library_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add(str(node.module).partition(".")[0])
    assert imported <= set(sys.stdlib_module_names) | OWN


def test_only_the_script_knows_the_orthanc_module() -> None:
    knowing = [path.name for path in FILES if "import orthanc" in path.read_text(encoding="utf-8")]
    assert knowing == ["nullsplat_plugin.py"]


@pytest.mark.parametrize(
    "path",
    [*FILES, *sorted(PLUGIN.rglob("*.js")), *sorted(PLUGIN.rglob("*.html"))],
    ids=lambda path: path.name,
)
def test_every_file_names_its_licence(path: Path) -> None:
    assert "SPDX-License-Identifier: AGPL-3.0-or-later" in path.read_text(encoding="utf-8").split("\n", 1)[0]


def test_the_pages_set_text_and_never_html() -> None:
    script = "".join(path.read_text(encoding="utf-8") for path in PLUGIN.rglob("*.js"))
    for dangerous in (".html(", "innerHTML", "document.write", "eval(", "insertAdjacentHTML"):
        assert dangerous not in script

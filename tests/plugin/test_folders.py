"""The plugin's folders import only downward, and what decides about a series acts on nothing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

NODE = Path(__file__).resolve().parents[2] / "plugin" / "nullsplat_node"
LAYERS = (
    "web",
    "work",
    "views",
    "archive",
    "settings",
    "outgoing",
    "access",
    "lifecycle",
    "engine",
    "rules",
    "series",
    "checks",
    "shallow_json",
)
PURE = (
    *("__future__", "bisect", "collections", "dataclasses", "enum", "heapq", "json", "re", "typing"),
    *("nullsplat_node.lifecycle", "nullsplat_node.series", "nullsplat_node.engine.contract"),
    "nullsplat_node.shallow_json",
)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: say where it is imported from"
            own = node.module == "nullsplat_node"
            yield from (f"nullsplat_node.{name.name}" for name in node.names) if own else (node.module or "",)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@pytest.mark.parametrize("layer", LAYERS)
def test_folders_import_only_downward(layer: str) -> None:
    modules = (
        [NODE / f"{layer}.py"] if (NODE / f"{layer}.py").exists() else sorted((NODE / layer).glob("*.py"))
    )
    assert modules != []
    above = LAYERS[: LAYERS.index(layer)]
    names = {
        name.split(".")[1]
        for path in modules
        for name in imported(path)
        if name.startswith("nullsplat_node.")
    }
    assert names.intersection(above) == set()


def test_every_folder_has_a_place_among_the_layers() -> None:
    there = {path.stem for path in NODE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__"} == set(LAYERS)


@pytest.mark.parametrize("path", sorted((NODE / "lifecycle").glob("*.py")), ids=lambda path: path.stem)
def test_the_lifecycle_is_pure(path: Path) -> None:
    """It says what follows from what; neither the archive, nor the engine, nor a clock is within its reach."""
    assert [name for name in imported(path) if not name.startswith(PURE)] == []

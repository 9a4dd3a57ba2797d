"""The tree can be taken in at a glance."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST = 16


def test_no_folder_holds_more_modules_than_one_can_take_in() -> None:
    folders = {path.parent for top in ("engine", "plugin") for path in (ROOT / top).rglob("*.py")}
    counts = {str(folder.relative_to(ROOT)): modules_of(folder) for folder in folders}
    assert len(counts) > 30
    assert {name: count for name, count in counts.items() if count > MOST} == {}


def modules_of(folder: Path) -> int:
    return sum(path.name != "__init__.py" for path in folder.glob("*.py"))

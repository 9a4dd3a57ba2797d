"""What a figure was measured with is told by one hash of the code that decides it."""

import shutil
from pathlib import Path

import pytest

import nullsplat
from nullsplat.evaluation.provenance import DECIDING, code_hash, hash_of

PACKAGE = Path(nullsplat.__file__).parent


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name in DECIDING:
        for path in (PACKAGE / name).rglob("*.py") if (PACKAGE / name).is_dir() else (PACKAGE / name,):
            copy = tmp_path / path.relative_to(PACKAGE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return tmp_path


def test_the_same_code_has_the_same_hash_wherever_it_lies(package: Path) -> None:
    assert hash_of(package) == code_hash()


@pytest.mark.parametrize("name", [name for name in DECIDING if not name.endswith(".py")])
def test_a_module_that_is_added_where_figures_are_decided_changes_the_hash(package: Path, name: str) -> None:
    (package / name / "added.py").touch()
    assert hash_of(package) != code_hash()


def test_how_a_case_is_scored_is_hashed_and_how_tables_look_is_not(package: Path) -> None:
    (package / "evaluation/comparison/tables.py").touch()
    assert hash_of(package) == code_hash()
    (package / "evaluation/comparison/case.py").write_text("")
    assert hash_of(package) != code_hash()

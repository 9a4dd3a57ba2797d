"""docs/settings.md names every environment variable that is read, with its default, and no other."""

import re
from enum import Enum
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from nullsplat.service.settings import OF_OTHERS, Settings, variable_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/settings.md").read_text()
VARIABLE = re.compile(r"\bNULLSPLAT_[A-Z0-9_]*[A-Z0-9]\b")
WITH_DEFAULT = re.compile(r"\$\{(NULLSPLAT_\w+):-([^}]*)\}")
READERS = ("engine/nullsplat", "plugin", "orthanc-config", "docker", "scripts")
AE_TITLES = {"NULLSPLAT_ED"}
"""Names in the examples that only look like variables."""


def section(title: str) -> dict[str, str]:
    """Variables of the table under a title, each with what the column `default` says."""
    _, _, text = PAGE.partition(f"\n## {title}\n")
    found = {}
    for names, default in re.findall(r"^\| (`NULLSPLAT_[^|]+) \| ([^|]*?) ?\|", text.split("\n## ")[0], re.M):
        found.update(dict.fromkeys(VARIABLE.findall(names), default))
    return found


def shown(default: object) -> str:
    """A default as the page writes it."""
    if default is PydanticUndefined:
        return "must be set"
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:.0f}"
    return str(default.value if isinstance(default, Enum) else default)


def variables(folder: str) -> set[str]:
    """Whatever looks like a variable of ours in the files below a folder."""
    files = [
        path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    return {name for path in files for name in VARIABLE.findall(path.read_text(errors="ignore"))}


def test_every_setting_of_the_engine_is_there_with_its_default_and_no_other() -> None:
    settings = {variable_of(name): shown(field.default) for name, field in Settings.model_fields.items()}
    assert section("Engine") == settings


def test_a_variable_of_another_part_is_not_called_unknown() -> None:
    assert set(VARIABLE.findall(PAGE)) - set(map(variable_of, Settings.model_fields)) == OF_OTHERS


def test_what_the_configuration_of_orthanc_takes_is_there_with_its_default() -> None:
    text = "".join(path.read_text() for path in (ROOT / "orthanc-config").glob("*.json*"))
    taken = dict(WITH_DEFAULT.findall(text))
    assert len(taken) > 5
    orthanc = section("Orthanc")
    assert {name: orthanc.get(name) for name in taken} == taken


@pytest.mark.parametrize("folder", READERS)
def test_whatever_is_read_anywhere_is_on_the_page_or_in_the_example_of_the_containers(folder: str) -> None:
    known = set(VARIABLE.findall(PAGE + (ROOT / "docker/example.env").read_text()))
    assert variables(folder) - AE_TITLES <= known


def test_no_document_names_a_variable_that_nothing_reads() -> None:
    read = set(map(variable_of, Settings.model_fields)).union(*map(variables, READERS))
    documents = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").rglob("*.md")]
    named = {name for path in documents for name in VARIABLE.findall(path.read_text())}
    assert named - AE_TITLES <= read

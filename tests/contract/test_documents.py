"""What the documents point at is there: links, files, targets of make, commands and compose files."""

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from nullsplat.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "docker").rglob("README.md"),
    *(ROOT / "benchmarks").rglob("README.md"),
    *(ROOT / "engine").rglob("MODEL_CARD.md"),
]
FOLDERS = "engine|plugin|docs|docker|orthanc-config|tests|scripts|benchmarks"
MADE_BY_THE_READER = {
    "docker/.env",
    "docker/compose.override.yaml",
    "docker/secrets",
    "docker/site/site.json",
}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)\s#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@each_page
def test_files_that_are_named_are_there(page: Path) -> None:
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", page.read_text())
    homes = (ROOT, page.parent)
    missing = {name for name in named if not any((home / name).exists() for home in homes)}
    assert {name for name in missing if not name.startswith(tuple(MADE_BY_THE_READER))} == set()


@each_page
def test_targets_of_make_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`(?:[A-Z]+=\S+ )?make ([a-z-]+)", page.read_text())) <= targets


@each_page
def test_commands_and_options_that_are_named_exist(page: Path) -> None:
    group = get_command(app)
    for words in re.findall(r"(?:^|`)nullsplat ([a-z][^\n#`]*)", page.read_text(), re.M):
        name, *rest = words.split()
        command = subcommands(group)[name]
        if inner := subcommands(command):
            command = inner[rest[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known, words


def subcommands(command: object) -> dict[str, Any]:
    return getattr(command, "commands", {})


@each_page
def test_compose_files_are_named_as_seen_from_the_root(page: Path) -> None:
    """Compose takes COMPOSE_FILE relative to the folder that it is called in, whatever --project-directory says."""
    for files in re.findall(r"COMPOSE_FILE=(\S+)", page.read_text()):
        assert [name for name in files.split(":") if not (ROOT / name).is_file()] == []

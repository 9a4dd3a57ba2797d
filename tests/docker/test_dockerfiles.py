"""The Dockerfiles and the pinned versions, looked at without building anything."""

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((ROOT / "docker").glob("*/Dockerfile"))
REFRESH = "run docker/engine/pin.py in an environment that the tests pass in"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing(path: Path) -> None:
    hadolint = str(Path(sys.executable).with_name("hadolint"))
    command = [hadolint, "--no-color", "--config", str(ROOT / "docker/hadolint.yaml"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_two_dockerfiles() -> None:
    assert [path.parent.name for path in DOCKERFILES] == ["engine", "orthanc"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_what_is_copied_is_there_and_not_ignored(path: Path) -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", path.read_text(), re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(source == one or source.startswith(f"{one}/") for one in allowed), source


def test_every_dependency_is_pinned_to_a_version_that_pyproject_allows() -> None:
    pins = dict(line.split("==") for line in requirement_lines())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in project["dependencies"]:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} must be pinned in docker/engine/requirements.txt: {REFRESH}"
        assert requirement.specifier.contains(pins[name]), f"{name}=={pins[name]} must meet {line}: {REFRESH}"


def test_the_pins_are_complete() -> None:
    names = {line.split("==")[0] for line in requirement_lines()}
    needed = runpy.run_path(str(ROOT / "docker/engine/pin.py"))["closure"]()
    assert needed.keys() - names == set(), REFRESH


def requirement_lines() -> list[str]:
    lines = (ROOT / "docker/engine/requirements.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]

"""scripts/setup.sh takes an environment that another clone made, and cannot spoil it for the next one."""

import os
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PIP = "import sys; open('pip-was-asked', 'a').write(' '.join(sys.argv[1:]) + '\\n')"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone as far as the script looks."""
    (tmp_path / "clone" / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup.sh", tmp_path / "clone" / "scripts")
    (tmp_path / "clone" / "pyproject.toml").write_text("[project]\n")
    return tmp_path / "clone"


def environment(clone: Path) -> Mapping[str, str]:
    return os.environ | {"KEPT": str(clone.parent / "kept"), "PYTHON": sys.executable, "VENV": ".venv"}


def setup(clone: Path, *what: str) -> str:
    command = [str(clone / "scripts" / "setup.sh"), *what]
    done = subprocess.run(command, env=environment(clone), capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def kept(clone: Path) -> Path:
    """An environment as a clone elsewhere left it, whose pip only notes what it is asked for."""
    folder = stand_in(Path(setup(clone, "kept")))
    (folder / "bin" / "tool").write_text(
        "#!/another/clone/.venv/bin/python3\nimport sys\nprint(sys.prefix)\n"
    )
    (folder / "bin" / "tool").chmod(0o755)
    return folder


def stand_in(folder: Path) -> Path:
    """An environment with a torch of no content, whose pip only notes what it is asked for."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "pip").mkdir()
    (site / "pip" / "__init__.py").touch()
    (site / "pip" / "__main__.py").write_text(PIP)
    (site / "torch-2.dist-info").mkdir()
    (site / "torch-2.dist-info" / "METADATA").write_text("Name: torch\nVersion: 2\n")
    return folder


def test_a_clone_takes_what_is_kept_and_only_adds_itself(clone: Path, kept: Path) -> None:
    said = setup(clone, "python")
    assert "taking the environment from" in said
    (asked,) = (clone / "pip-was-asked").read_text().splitlines()
    assert asked.endswith("install --no-deps --editable .")
    tool = subprocess.run([clone / ".venv/bin/tool"], capture_output=True, text=True, check=True)
    assert tool.stdout.strip() == str(clone / ".venv")
    assert setup(clone, "python") == ""


def test_what_is_kept_stays_as_it_was(clone: Path, kept: Path) -> None:
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    setup(clone, "python")
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before


def test_what_tools_are_told_leaves_the_environment_as_it_is(clone: Path) -> None:
    before = setup(clone, "kept")
    (clone / "pyproject.toml").write_text("[project]\n[tool.ruff]\nline-length = 100\n")
    assert setup(clone, "kept") == before


def test_the_documentations_environment_is_taken_from_another_clone_too(clone: Path) -> None:
    (clone / "pyproject.toml").write_text("[project.optional-dependencies]\ndocs = []\n")
    folder = Path(setup(clone, "kept", "docs"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (folder / "marked").touch()
    assert f"taking the environment from {folder}" in setup(clone, "docs")
    assert (clone / "build/docs-venv/marked").exists()
    assert setup(clone, "docs") == ""


@pytest.mark.parametrize(("what", "installed"), [(["demo"], "."), ([], ".[dev]")])
def test_the_demonstration_gets_the_engine_without_development_tools(
    clone: Path, what: list[str], installed: str
) -> None:
    stand_in(clone / ".venv")
    setup(clone, "python", *what)
    torch, engine = (clone / "pip-was-asked").read_text().splitlines()
    assert torch.split()[-1].startswith("torch==")
    assert engine.split()[-2:] == ["--editable", installed]


def test_what_the_engine_needs_brings_no_development_tools() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    tools = {canonicalize_name(Requirement(line).name) for line in extras["dev"]}
    needed = runpy.run_path(str(ROOT / "docker/engine/pin.py"))["closure"]()
    assert {"torch", "diffusers", "pydicom"} <= needed.keys()
    assert needed.keys() & tools == {"pyyaml"}, "a library of the service, which the tests use too"


def test_other_requirements_have_another_environment(clone: Path) -> None:
    before = setup(clone, "kept")
    (clone / "pyproject.toml").write_text("[project]\ndependencies = ['another']\n")
    assert setup(clone, "kept") != before

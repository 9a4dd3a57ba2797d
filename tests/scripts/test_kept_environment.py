"""scripts/setup.sh takes an environment that another clone made, and cannot spoil it for the next one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PIP = "import pathlib, sys; pathlib.Path('pip-was-asked').write_text(' '.join(sys.argv[1:]))"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone as far as the script looks."""
    (tmp_path / "clone" / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup.sh", tmp_path / "clone" / "scripts")
    (tmp_path / "clone" / "pyproject.toml").write_text("[project]\n")
    return tmp_path / "clone"


def environment(clone: Path, **variables: str) -> Mapping[str, str]:
    kept = {"KEPT": str(clone.parent / "kept"), "PYTHON": sys.executable, "VENV": ".venv"}
    return os.environ | kept | variables


def setup(clone: Path, what: str, **variables: str) -> str:
    command = [str(clone / "scripts" / "setup.sh"), what]
    done = subprocess.run(
        command, env=environment(clone, **variables), capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def kept(clone: Path) -> Path:
    """An environment as a clone elsewhere left it, whose pip only notes what it is asked for."""
    folder = Path(setup(clone, "kept"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (pip,) = (site / "pip" for site in folder.glob("lib/python*/site-packages"))
    pip.mkdir()
    (pip / "__init__.py").touch()
    (pip / "__main__.py").write_text(PIP)
    (folder / "bin" / "tool").write_text(
        "#!/another/clone/.venv/bin/python3\nimport sys\nprint(sys.prefix)\n"
    )
    (folder / "bin" / "tool").chmod(0o755)
    return folder


def test_a_clone_takes_what_is_kept_and_only_adds_itself(clone: Path, kept: Path) -> None:
    said = setup(clone, "python")
    assert "taking the environment from" in said
    assert (clone / "pip-was-asked").read_text().endswith("install --no-deps --editable .")
    tool = subprocess.run([clone / ".venv/bin/tool"], capture_output=True, text=True, check=True)
    assert tool.stdout.strip() == str(clone / ".venv")
    assert setup(clone, "python") == ""


def test_what_is_kept_stays_as_it_was(clone: Path, kept: Path) -> None:
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    setup(clone, "python")
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before


def test_other_requirements_have_another_environment(clone: Path) -> None:
    before = setup(clone, "kept")
    (clone / "pyproject.toml").write_text("[project]\ndependencies = ['another']\n")
    assert setup(clone, "kept") != before

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.pipeline.presets import PRESETS

COMMANDS = [
    "sr",
    "serve",
    "worker",
    "demo",
    "doctor",
    "train-prior",
    "train-slab-prior",
    "convert-prior",
    "eval",
    "eval-stage1",
    "eval-stage2",
    "bench",
    "reader-study",
    "reader-score",
    "rules",
    "render-field",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert command in CliRunner().invoke(app, ["--help"]).output


@pytest.mark.parametrize("command", ["sr", "eval", "demo"])
def test_the_help_names_every_preset(command: str) -> None:
    output = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert all(preset in output for preset in PRESETS)


def test_help_does_not_wait_for_heavy_imports() -> None:
    code = "import sys, nullsplat.cli.main; print(sorted({'torch', 'numpy', 'pydicom'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version

    assert CliRunner().invoke(app, ["--version"]).output == f"nullsplat {version('nullsplat')}\n"

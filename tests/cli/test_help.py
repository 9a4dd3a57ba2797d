import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nullsplat.cli.main import EVALUATION, NODE, PRIORS, SUPER_RESOLUTION, app
from nullsplat.core.preset_facts import PRESET_FACTS
from nullsplat.core.volume import Geometry, Volume
from nullsplat.io.nifti import write_nifti
from nullsplat.pipeline.presets import PRESETS

COMMANDS = [
    "sr",
    "presets",
    "db",
    "plan",
    "eval-pair",
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


def test_the_list_of_commands_is_grouped() -> None:
    output = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    for panel in (SUPER_RESOLUTION, NODE, EVALUATION, PRIORS):
        assert panel in output
    assert "Commands" not in output, "every command belongs to a group"


def test_a_misspelt_command_is_answered_with_the_nearest_one() -> None:
    result = CliRunner().invoke(app, ["presests"])
    assert result.exit_code == 2
    assert "presets" in result.output


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["sr", "SOURCE", "OUT", "--preset", "standart"], "did you mean standard?"),
        (["sr", "SOURCE", "OUT", "--prior", "block-smal"], "did you mean block-small?"),
        (
            ["eval", "SOURCE", "--out", "OUT", "--methods", "preview-no-stage3"],
            "did you mean preview-no-stage",
        ),
        (["eval", "SOURCE", "--out", "OUT", "--scale", "thik4"], "did you mean thick4?"),
        (["eval-stage2", "SOURCE", "--out", "OUT", "--fits", "preset"], "did you mean presets?"),
        (["reader-study", "OUT", "--truth", "SOURCE", "--methods", "cubci,truth"], "did you mean cubic?"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest_one(
    words: list[str], nearest: str, tmp_path: Path
) -> None:
    write_nifti(Volume(np.zeros((4, 8, 8), np.float32), Geometry((4, 8, 8), (5, 1, 1))), tmp_path / "ct.nii")
    places = {"SOURCE": str(tmp_path / "ct.nii"), "OUT": str(tmp_path / "out.nii")}
    result = CliRunner().invoke(app, [places.get(word, word) for word in words])
    assert result.exit_code == 2
    assert nearest in result.output
    assert len(result.output) < 400, "a page of names helps nobody"


def test_presets_shows_what_each_costs_and_gives() -> None:
    output = CliRunner().invoke(app, ["presets"], env={"COLUMNS": "100"}).output
    for name, facts in PRESET_FACTS.items():
        assert name in output
        assert f"{facts.psnr:.2f} dB" in output
        assert f"{facts.seconds:.0f} s" in output


def test_the_help_says_what_samples_cost() -> None:
    output = CliRunner().invoke(app, ["sr", "--help"], env={"COLUMNS": "200"}).output
    assert "five to six times as long" in " ".join(output.split())

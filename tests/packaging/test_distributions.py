"""Wheel and source distribution hold what they must, and the wheel works in an environment of its own."""

import email
import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from nullsplat.core.preset_facts import PRESET_FACTS
from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Distributions:
    wheel: Path
    source: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The source distribution, and the wheel made from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Distributions(wheel, source)


@pytest.fixture(scope="module")
def installed(built: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; what it depends on is taken from the one that tests, but for this project."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", str(built.wheel)], check=True)
    # A line of a .pth file is a folder to look in; .pth files in that folder, as of an editable install, are not read.
    places = [place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
    (packages / "dependencies.pth").write_text("\n".join(places) + "\n")
    return folder


def run(installed: Path, *words: object) -> "subprocess.CompletedProcess[str]":
    """The installed command, away from the checkout."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [str(installed / "bin/nullsplat"), *map(str, words)]
    return subprocess.run(
        command, cwd=installed, env=environment, capture_output=True, text=True, timeout=900, check=False
    )


def tracked(*folders: str) -> Iterator[str]:
    """Files of the checkout that belong to the project."""
    listed = subprocess.run(
        ["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return iter(listed.stdout.split())


def test_the_wheel_holds_the_engine_the_plugin_and_its_configuration(built: Distributions) -> None:
    names = set(zipfile.ZipFile(built.wheel).namelist())
    engine = {name.removeprefix("engine/") for name in tracked("engine")}
    node = {f"nullsplat/_node/{name}" for name in tracked("plugin", "orthanc-config")}
    assert engine | node <= names
    others = {name for name in names - engine - node if ".dist-info/" not in name}
    assert others == set()


def test_the_source_distribution_is_enough_to_work_with(built: Distributions) -> None:
    with tarfile.open(built.source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "scripts/setup.sh", "CITATION.cff", "docs/index.md", "tests/conftest.py"} <= names
    assert set(tracked("engine", "plugin", "orthanc-config", "docs", "docker")) <= names


def test_links_of_the_description_lead_somewhere_from_an_index_of_packages(built: Distributions) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith("METADATA"))
        description = email.message_from_bytes(archive.read(name)).get_payload()
    assert "Thinner CT slices" in description
    assert [
        link for link in re.findall(r"\]\(([^)\s]+)", description) if not link.startswith(("https:", "#"))
    ] == []


@pytest.mark.parametrize("words", [("--help",), ("demo", "--help"), ("sr", "--help")])
def test_the_installed_command_explains_itself(installed: Path, words: tuple[str, ...]) -> None:
    done = run(installed, *words)
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


def test_the_installed_command_shows_the_presets(installed: Path) -> None:
    assert all(name in run(installed, "presets").stdout for name in PRESET_FACTS)


@pytest.mark.slow
def test_the_installed_command_super_resolves_a_series(installed: Path, tmp_path: Path) -> None:
    z, y, x = np.mgrid[:6, :32, :32].astype(np.float32)
    hu = np.where((y - 16) ** 2 + (x - 16) ** 2 < 150, 40.0, -1000.0) + 3 * z
    volume = Volume(hu.astype(np.float32), Geometry((6, 32, 32), (8.0, 2.0, 2.0), (-32.0, -32.0, 10.0)))
    write_ct_series(volume, tmp_path / "in", SeriesDescription(slice_thickness_mm=8.0))
    report = tmp_path / "run.json"
    done = run(installed, "sr", tmp_path / "in", tmp_path / "out", "--scale", "2", "--report", report)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "12 slices of 32 x 32" in done.stdout
    assert len(list((tmp_path / "out").glob("*.dcm"))) == 12
    assert set(json.loads(report.read_text())["stages"]) == {"stage1", "stage2", "consistency"}
    profile = json.loads(report.read_text())["slice_profile"]
    assert (profile["profile"], profile["fwhm_mm"], profile["in_plane"]) == ("bell", 8.0, None)
    assert profile["check"]["verdict"] == "undecided"  # six slices of 32 x 32 tell nothing

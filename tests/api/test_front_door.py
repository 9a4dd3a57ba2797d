"""`import nullsplat as ns` offers all that a notebook needs, at once, and refuses what it cannot use in words."""

import os
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from tests.pipeline.test_run import SHAPE, measured, small

import nullsplat as ns
from nullsplat import api
from nullsplat.core.units import LOWEST_HU
from nullsplat.physics.profile import BOX, Resolution
from nullsplat.pipeline.config import PipelineConfig

AT_ONCE = 0.3  # seconds


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("code", ["import nullsplat", "import nullsplat.cli.main"])
def test_importing_waits_for_nothing_heavy(code: str) -> None:
    heavy = "{'torch', 'numpy', 'pydicom', 'nibabel', 'diffusers'}"
    assert python(f"import sys; {code}; print(sorted({heavy} & set(sys.modules)))").strip() == "[]"


HELP = "import sys; sys.argv[1:] = ['--help']; from nullsplat.cli.main import main; main()"


@pytest.mark.parametrize("code", ["import nullsplat", HELP], ids=["import", "help"])
def test_importing_and_help_take_no_time(code: str) -> None:
    def seconds() -> float:
        before = os.times()
        python(code)
        after = os.times()
        return after.children_user - before.children_user + after.children_system - before.children_system

    assert (
        min(seconds() for _ in range(5)) < AT_ONCE
    )  # of the processor, at best: others slow it down by its caches


def test_the_version_is_that_of_the_installed_package() -> None:
    assert ns.__version__ == metadata.version("nullsplat")


def test_every_name_that_is_offered_is_there() -> None:
    assert {"read", "write", "super_resolve", "SuperResolver", "Result", "Volume", "PRESETS"} <= set(dir(ns))
    assert all(getattr(ns, name) is not None for name in ns.__all__)
    with pytest.raises(AttributeError, match=r"nullsplat has no 'load'; it has .*read"):
        ns.load  # noqa: B018


@pytest.fixture(scope="module")
def result() -> ns.Result:
    """A run on the phantom with the settings of tests/pipeline."""
    volume = replace(measured(15), slice_thickness=10.0, slice_profile="box")
    return api.SuperResolver(small_twice(), api.resolve_device("cpu"))(volume)


def small_twice() -> PipelineConfig:
    """Two samples, and no word about the slices."""
    config = replace(small(), resolution=None)
    return replace(config, sampling=replace(config.sampling, samples=2))


def test_a_result_holds_the_volume_and_how_sure_it_is(result: ns.Result) -> None:
    assert result.volume.hu.shape == SHAPE
    assert result.deviation is not None
    assert result.deviation.geometry == result.field.grid == result.volume.geometry
    assert repr(result).startswith("Result(24 slices of 40 x 40, LR-consistency ")


def test_the_null_space_is_what_averaging_to_thick_slices_cannot_see(result: ns.Result) -> None:
    change = result.null_space()
    assert change.geometry == result.volume.geometry
    assert np.abs(change.hu).max() > 10
    assert np.abs(change.hu.reshape(6, 4, 40, 40).mean(axis=1)).max() < 0.05


def test_what_the_volume_knows_of_its_slices_is_taken_into_account(result: ns.Result) -> None:
    assert result.config.resolution == Resolution(1.0, BOX)
    assert result.report["slice_profile"]["profile"] == "box"
    assert (
        result.report["config_hash"]
        == result.config.hash
        == replace(small_twice(), resolution=Resolution(1.0, BOX)).hash
    )


def test_the_source_is_left_as_it_was(result: ns.Result) -> None:
    assert result.source.hu.min() < LOWEST_HU
    np.testing.assert_array_equal(result.source.hu, measured(15).hu)


WRONG = """
import numpy as np
import nullsplat as ns
hu = np.zeros((4, 8, 8), np.float32)
volume = ns.Volume(hu, ns.Geometry((4, 8, 8), (5, 1, 1)))
cases = {
    "a nullsplat.Volume was needed, got str; read one with": lambda: ns.super_resolve("ct.nii"),
    "a nullsplat.Volume was needed, got ndarray": lambda: ns.super_resolve(hu),
    "must be one number (for the slices) or three": lambda: ns.super_resolve(volume, scale=None),
    "got 'fine'": lambda: ns.super_resolve(volume, preset="fine"),
    "got ['preview']": lambda: ns.super_resolve(volume, preset=["preview"]),
    "samples must be a whole number of at least 1, got 2.5": lambda: ns.super_resolve(volume, samples=2.5),
    "device must be auto, cpu or cuda, got 0": lambda: ns.super_resolve(volume, device=0),
    "block-small": lambda: ns.SuperResolver.from_preset(prior="nosuch"),
    "must be the path of": lambda: ns.read(3),
    "does not exist": lambda: ns.read("nosuch.nii"),
    "a Volume was needed, got ndarray": lambda: ns.write(hu, "x.nii"),
    "needs a NumPy array [z, y, x] and a Geometry, got list": lambda: ns.Volume([[[0.0]]], volume.geometry),
    "spacing must be three numbers": lambda: ns.Geometry((4, 8, 8), 1.0),
    "convert with .astype(numpy.float32)": lambda: ns.Volume(hu.astype(int), volume.geometry),
    "slice thickness must be above 0 mm": lambda: ns.Volume(hu, volume.geometry, slice_thickness=0.0),
}
for words, call in cases.items():
    try:
        call()
    except ns.NullSplatError as error:
        assert words in str(error), (words, str(error))
    else:
        raise AssertionError(words)
print(len(cases))
"""


def test_what_cannot_be_used_is_refused_in_words(tmp_path: Path) -> None:
    """In a process of its own: there, nothing checks annotations before the front door does."""
    assert python(f"import os; os.chdir({str(tmp_path)!r})\n{WRONG}").strip() == "15"

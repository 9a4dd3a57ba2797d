"""What Numba keeps is taken wherever the engine lies, and never for other sources than those that it was compiled from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nullsplat.physics import compiled

HELPER = """
import numba

@numba.njit
def grown(x):
    return x + {}
"""
KERNEL = """
from nullsplat.physics.compiled import kernel
from nullsplat.physics.helper import grown

@kernel()
def twice_grown(x):
    return grown(grown(x))
"""
SCRIPT = """
from nullsplat.physics.tiny import twice_grown
print(twice_grown(1), sum(twice_grown.stats.cache_hits.values()))
"""


def engine(folder: Path, step: int = 1) -> Path:
    """An engine of one kernel, which calls a function of another file."""
    physics = folder / "nullsplat" / "physics"
    physics.mkdir(parents=True)
    for package in (physics, physics.parent):
        (package / "__init__.py").touch()
    shutil.copy(compiled.__file__, physics)
    (physics / "helper.py").write_text(HELPER.format(step))
    (physics / "tiny.py").write_text(KERNEL)
    return folder


def answer_and_hits(engine: Path, **variables: str) -> tuple[int, int]:
    """What the kernel says of 1, and how often it was taken from what is kept."""
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment | {"PYTHONPATH": str(engine)} | variables,
        check=True,
        capture_output=True,
        text=True,
    )
    answer, hits = map(int, ran.stdout.split())
    return answer, hits


def test_an_engine_elsewhere_takes_what_was_compiled_and_another_version_does_not(tmp_path: Path) -> None:
    kept = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    assert answer_and_hits(engine(tmp_path / "here"), **kept) == (3, 0)
    assert answer_and_hits(engine(tmp_path / "there"), **kept) == (3, 1)
    assert answer_and_hits(engine(tmp_path / "later", step=10), **kept) == (21, 0)
    assert answer_and_hits(tmp_path / "here", **kept) == (3, 1), (
        "versions that run side by side must not displace each other's"
    )


def test_beside_the_sources_too_another_version_of_what_a_kernel_calls_is_compiled_anew(
    tmp_path: Path,
) -> None:
    place = engine(tmp_path / "here")
    assert answer_and_hits(place) == (3, 0)
    (place / "nullsplat/physics/helper.py").write_text(HELPER.format(10))
    assert answer_and_hits(place) == (21, 0)


def test_only_what_numba_compiles_makes_another_key(tmp_path: Path) -> None:
    package = engine(tmp_path / "here") / "nullsplat"
    before = compiled.compiled_sources(package)
    (package / "elsewhere.py").write_text("STEP = 1")
    compiled.compiled_sources.cache_clear()
    assert compiled.compiled_sources(package) == before


@pytest.mark.parametrize("path", sorted(compiled.PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_kernel_is_kept_by_numbas_own_key(path: Path) -> None:
    assert path.name == "compiled.py" or "cache=True" not in path.read_text()

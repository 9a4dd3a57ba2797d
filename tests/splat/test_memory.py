"""Kernels on the CPU need the memory that docs/kernels.md says, and no more."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ALLOCATOR = 24 * 2**20  # what torch, numba and their threads keep or find free, whatever the size


def peak(kernel: str, size: int) -> int:
    """Bytes beyond the inputs."""
    command = [sys.executable, str(Path(__file__).with_name("peak_memory.py")), kernel, str(size)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout)


def padded(slices: int, edge: int) -> int:
    return 4 * slices * edge * (edge + 16)


def test_pictures_need_24_bytes_for_each_gaussian_beside_its_own():
    """Its gradients: 8 for the bands that it touches and 4 for each of them (two, here) are free again by then."""
    assert peak("integrate", 3_000_000) == pytest.approx(3_000_000 * 24, abs=ALLOCATOR)


def test_a_whole_volume_needs_itself_and_its_gradient_padded_and_the_gradient():
    """Forward makes one padded volume; backward is given a gradient and pads a copy."""
    edge = 224
    assert peak("voxelise", edge) == pytest.approx(2 * padded(edge, edge) + 4 * edge**3, abs=ALLOCATOR)


def test_slabs_need_the_volume_and_one_padded_slab():
    edge = 320
    assert peak("slabs", edge) == pytest.approx(4 * edge**3 + padded(64, edge), abs=ALLOCATOR)

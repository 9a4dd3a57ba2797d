"""The pairs of a run are made once, and only of volumes that can be learned from."""

from pathlib import Path

import numpy as np
import pytest
from tests.prior.slab.several_pairs import make_pairs

from nullsplat.core.errors import InputError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.prior.slab.dataset import SMALLEST, Counts, slab_pools


def volume(level: float, shape: tuple[int, int, int] = SMALLEST) -> Volume:
    y, x = np.mgrid[-1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    hu = np.broadcast_to(np.where(x**2 + y**2 < 0.7, level, -1000), shape).astype(np.float32)
    return Volume(hu, Geometry(shape, (2.0, 1.0, 1.0)))


def test_pairs_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    one, other = [volume(0.0), volume(50.0)], [volume(100.0)]
    train, validation = slab_pools(one, other, tmp_path, Counts(2, 1), seed=3)
    assert (len(train.pairs), len(validation.pairs)) == (2, 1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    train, _ = slab_pools(one, other, tmp_path, Counts(3, 1), seed=3)
    assert len(train.pairs) == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before
    expected = list(make_pairs(one, 3, 3, "train"))
    for stored, made in zip(train.pairs, expected, strict=True):
        np.testing.assert_array_equal(stored.volumes, made.volumes)


def test_volumes_too_small_for_a_crop_are_refused(tmp_path: Path) -> None:
    small = volume(0.0, (SMALLEST[0] - 1, *SMALLEST[1:]))
    with pytest.raises(InputError, match=r"at least \(64, 128, 128\) voxels, got \(63, 128, 128\)"):
        slab_pools([volume(0.0)], [small], tmp_path, Counts(1, 1))


def test_both_sides_need_a_patient(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least two patients"):
        slab_pools([volume(0.0)], [], tmp_path, Counts(1, 1))

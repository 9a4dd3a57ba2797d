from pathlib import Path

import numpy as np
import pytest

from nullsplat.core.volume import Geometry, Volume
from nullsplat.io.nifti import write_nifti

SHAPE = (24, 64, 64)


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small chest: soft tissue, two lungs, forty balls of vessel, fat and bone; 24 slices of 2 mm."""
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]].astype(np.float32)
    hu = np.full(SHAPE, -1000, np.float32)
    body = ((y - 32) / 26) ** 2 + ((x - 32) / 30) ** 2 < 1
    hu[body] = 40
    for centre in (20, 44):
        hu[((y - 30) / 14) ** 2 + ((x - centre) / 9) ** 2 + ((z - 12) / 16) ** 2 < 1] = -850
    rng = np.random.default_rng(0)
    for _ in range(40):
        cz, cy, cx = rng.uniform([0, 10, 10], [24, 54, 54])
        ball = (z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < rng.uniform(1.5, 3) ** 2
        hu[ball & body] = rng.choice([-300, 60, 500])
    path = tmp_path_factory.mktemp("phantom") / "chest.nii.gz"
    write_nifti(Volume(hu, Geometry(SHAPE, (2.0, 2.0, 2.0), (-64.0, -64.0, 0.0))), path)
    return path

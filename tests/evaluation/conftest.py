"""A small chest that every test of this folder can evaluate on."""

import numpy as np
import pytest

from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.data.subject import Subject


def chest_hu(shape: tuple[int, int, int] = (16, 24, 24)) -> np.ndarray:
    """Ellipsoids of tissue, lung and bone in air."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    hu = np.full(z.shape, -1000.0)
    hu[x**2 / 0.8 + y**2 / 0.6 + z**2 / 2 < 1] = 50
    hu[(x - 0.25) ** 2 / 0.05 + y**2 / 0.12 + z**2 < 1] = -850
    hu[(x + 0.3) ** 2 + (y - 0.4) ** 2 + (z / 4 - 0.1) ** 2 < 0.02] = 900
    return hu.astype(np.float32)


def chest() -> Subject:
    hu = chest_hu()
    return Subject("chest", Volume(hu, Geometry(hu.shape, (2.0, 1.0, 1.0))))


@pytest.fixture
def subject() -> Subject:
    return chest()

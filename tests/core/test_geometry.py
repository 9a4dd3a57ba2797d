"""Grids over the same place with other voxels."""

import json
from typing import Any

import numpy as np
import pytest

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Geometry

OBLIQUE = ((0.0, 0.6, 0.8), (0.0, 0.8, -0.6), (-1.0, 0.0, 0.0))
GRID = Geometry((10, 20, 30), (2.0, 0.5, 0.7), (3.0, -4.0, 5.0), OBLIQUE)


def test_the_centre_is_half_way_between_the_corners():
    last = GRID.position((9, 19, 29))
    assert GRID.centre == pytest.approx(tuple((a + b) / 2 for a, b in zip(GRID.origin, last, strict=True)))


def test_a_spacing_that_fits_keeps_the_extent():
    finer = GRID.with_spacing((1.0, 0.1, 0.35))
    assert finer.shape == (20, 100, 60)
    assert finer.centre == pytest.approx(GRID.centre)
    assert finer.axes == GRID.axes
    assert np.allclose(finer.origin, GRID.resampled((20, 100, 60)).origin)


def test_a_spacing_that_does_not_fit_covers_a_little_more():
    coarser = GRID.with_spacing((3.0, 3.0, 2.0))
    assert coarser.shape == (7, 4, 11)  # 20 mm / 3, 10 mm / 3, 21 mm / 2, upwards
    assert coarser.spacing == (3.0, 3.0, 2.0)
    assert coarser.centre == pytest.approx(GRID.centre)


def test_a_spacing_that_is_none_is_refused():
    with pytest.raises(GeometryError, match="positive"):
        GRID.with_spacing((0.0, 1.0, 1.0))


def test_a_grid_comes_back_from_json_as_it_was() -> None:
    grid = Geometry(
        (4, 5, 6), (2.5, 0.7, 0.1 + 0.2), (-1.0, 2.0, 1 / 3), ((0, 0, 1), (0.6, 0.8, 0), (0.8, -0.6, 0))
    )
    stored = json.loads(json.dumps(grid.to_dict()))
    assert Geometry.from_dict(stored | {"slice_thickness": 3.0}) == grid
    assert stored["origin"][2] == 1 / 3


@pytest.mark.parametrize(
    "change", [{"shape": [4, 5]}, {"origin": None}, {"axes": [[1, 0, 0]]}, {"spacing": ["a", 1, 1]}]
)
def test_a_damaged_grid_is_no_grid(change: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Geometry.from_dict(Geometry((4, 5, 6), (1.0, 1.0, 1.0)).to_dict() | change)

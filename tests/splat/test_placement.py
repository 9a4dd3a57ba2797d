"""A field lies where it was fitted, whatever grid it is put on."""

import math

import numpy as np
import pytest
import torch

from nullsplat.core.units import hu_difference_to_mu
from nullsplat.core.volume import Geometry
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.placement import PlacedField

C, S = math.cos(0.4), math.sin(0.4)
TURNED = ((-S, 0.0, C), (0.0, 1.0, 0.0), (C, 0.0, S))
MIRRORED = ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
FITTED_ON = Geometry((10, 12, 14), (2.0, 1.0, 1.5), (-20.0, 5.0, 100.0), TURNED)


def two_gaussians() -> PlacedField:
    double = {"dtype": torch.float64}
    return PlacedField(
        SignedGaussians(
            torch.tensor([[1.0, -0.5, 2.0], [-3.0, 1.0, 0.0]], **double),
            torch.tensor([[2.0, 1.2, 1.5], [1.3, 2.1, 1.7]], **double).log(),
            torch.tensor([[0.9, 0.1, -0.3, 0.2], [2.0, 0.0, 1.0, 0.0]], **double),
            torch.tensor([0.02, -0.03], **double),
            torch.tensor(0.5, **double),
        ),
        FITTED_ON,
    )


def analytic(placed: PlacedField, point: np.ndarray) -> float:
    """The field in HU at a place in the patient, by the formula, without any of the engine's rotations."""
    from scipy.spatial.transform import Rotation

    local = np.array(placed.grid.axes)[::-1] @ (point - np.array(placed.grid.centre))
    field, total = placed.gaussians, 0.0
    for mean, log_scale, quat, density in zip(
        field.means.numpy(),
        field.log_scales.numpy(),
        field.quats.numpy(),
        field.density.tolist(),
        strict=True,
    ):
        own = Rotation.from_quat(quat, scalar_first=True).inv().apply(local - mean)
        total += density * math.exp(-0.5 * float(np.sum((own / np.exp(log_scale)) ** 2)))
    return total / hu_difference_to_mu(1.0)


@pytest.mark.parametrize(
    "grid",
    [
        FITTED_ON,
        FITTED_ON.with_spacing((0.9, 0.7, 1.1)),
        Geometry((12, 20, 24), (1.5, 1.0, 1.0), (-22.0, 3.0, 98.0)),
        Geometry((12, 20, 24), (1.5, 1.0, 1.0), (-22.0, 3.0, 120.0), MIRRORED),
    ],
    ids=["its own", "finer", "another frame", "mirrored"],
)
def test_values_on_any_grid_follow_the_formula(grid):
    placed = two_gaussians()
    volume = placed.on(grid)
    strongest = [np.unravel_index(int(i), volume.shape) for i in (volume.argmax(), volume.argmin())]
    for index in strongest:
        z, y, x = (int(i) for i in index)
        expected = analytic(placed, np.array(grid.position((z, y, x))))
        assert abs(expected) > 100  # HU: both Gaussians are in the grid
        assert float(volume[z, y, x]) == pytest.approx(expected, rel=1e-5)


def test_mass_does_not_depend_on_the_grid():
    placed = two_gaussians()
    field = placed.gaussians
    mass = float((field.density * (2 * math.pi) ** 1.5 * field.log_scales.sum(-1).exp()).sum())
    grid = Geometry((44, 44, 44), (1.0, 1.0, 1.0)).with_spacing((0.8, 0.8, 0.8))
    grid = Geometry(grid.shape, grid.spacing, tuple(np.add(grid.origin, placed.grid.centre) - 21.5))
    summed = float(placed.on(grid).sum()) * 0.8**3 * hu_difference_to_mu(1.0)
    # The cut-off at four deviations loses 0.11 % of either.
    parts = float((field.density.abs() * (2 * math.pi) ** 1.5 * field.log_scales.sum(-1).exp()).sum())
    assert summed == pytest.approx(mass, abs=1.3e-3 * parts)


def test_on_its_own_grid_the_field_is_untouched():
    placed = two_gaussians()
    assert placed.seen_from(FITTED_ON.resampled((20, 24, 28))).means is placed.gaussians.means


def test_there_and_back_is_where_it_was():
    placed = two_gaussians()
    there = Geometry((5, 5, 5), (1.0, 1.0, 1.0), (7.0, 8.0, 9.0), MIRRORED)
    back = PlacedField(placed.seen_from(there), there).seen_from(FITTED_ON)
    torch.testing.assert_close(back.means, placed.gaussians.means)

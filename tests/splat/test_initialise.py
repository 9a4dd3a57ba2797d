"""Gaussians start where the residual is, with its sign and about its size."""

import numpy as np
import pytest
import torch

from nullsplat.physics.beam import beam_for
from nullsplat.physics.projector import Projector
from nullsplat.splat.initialise import back_project, place

SHAPE, SPACING = (6, 40, 48), (3.0, 1.0, 0.8)


@pytest.fixture
def blobs() -> torch.Tensor:
    """One positive and one negative Gaussian, 1/mm."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    hill = np.exp(-(((x - 14) / 4) ** 2 + ((y - 25) / 3) ** 2 + ((z - 2) / 1.5) ** 2))
    hole = np.exp(-(((x - 33) / 3) ** 2 + ((y - 14) / 4) ** 2 + ((z - 4) / 1.5) ** 2))
    return torch.from_numpy(0.01 * hill - 0.02 * hole).float()


def test_back_projection_has_the_right_place_sign_and_size(blobs):
    beam = beam_for(SHAPE, SPACING, views=60)
    found = back_project(Projector(beam, SHAPE, SPACING).forward(blobs), beam, SHAPE, SPACING)
    assert float((found * blobs).sum() / (blobs * blobs).sum()) == pytest.approx(1, abs=0.15)
    assert float((found - blobs).norm() / blobs.norm()) < 0.3  # the window smooths


def test_both_signs_are_placed_where_the_residual_is(blobs):
    field = place(blobs, SPACING, 500, sigma=1.5, slope=0.25, generator=np.random.default_rng(0))
    assert len(field) == 500
    hill, hole = field.select(field.density > 2e-3), field.select(field.density < -2e-3)
    centre = torch.tensor([(n - 1) / 2 for n in SHAPE])
    for part, expected in ((hill, (2, 25, 14)), (hole, (4, 14, 33))):
        found = part.means.median(0).values.flip(0) / torch.tensor(SPACING) + centre
        assert len(part) > 50
        assert float((found - torch.tensor(expected)).abs().max()) < 1.5
    # strength decides the share: the hole is twice as deep and about as large
    assert len(hole) > 1.3 * len(hill)


def test_density_is_the_residual_in_spite_of_the_slope(blobs):
    field = place(blobs, SPACING, 200, sigma=1.0, slope=0.1, generator=np.random.default_rng(1))
    voxels = (
        (field.means.flip(-1) / torch.tensor(SPACING) + torch.tensor([(n - 1) / 2 for n in SHAPE]))
        .round()
        .long()
    )
    k, j, i = voxels.unbind(-1)
    torch.testing.assert_close(field.density, blobs[k, j, i])


def test_deviations_follow_each_axis(blobs):
    field = place(blobs, SPACING, 10, sigma=1.5, slope=1.0, generator=np.random.default_rng(1))
    torch.testing.assert_close(field.log_scales[0].exp(), torch.tensor([1.2, 1.5, 4.5]))


def test_an_empty_residual_still_gives_a_field():
    field = place(torch.zeros(SHAPE), SPACING, 100, sigma=1.0, slope=1.0, generator=np.random.default_rng(1))
    assert len(field) == 100
    assert field.density.abs().max() == 0

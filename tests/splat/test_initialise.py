"""Gaussians start where the residual is, with its sign and about its size."""

import numpy as np
import pytest
import torch
from gsplat.cuda._torch_impl import _quat_to_rotmat

from nullsplat.physics.projection.beam import beam_for
from nullsplat.physics.projection.projector import Projector
from nullsplat.splat.fit.config import FitConfig
from nullsplat.splat.fit.initialise import back_project, place

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


FLAT = torch.full(SHAPE, 0.02)


def config(**changes) -> FitConfig:
    return FitConfig(**{"count": 500, "most": 500, "steps": 1, "sigma": 1.5, **changes})


def test_both_signs_are_placed_where_the_residual_is(blobs):
    field = place(blobs, FLAT, SPACING, config(slope=0.25), np.random.default_rng(0))
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
    field = place(blobs, FLAT, SPACING, config(slope=0.1), np.random.default_rng(1))
    voxels = (
        (field.means.flip(-1) / torch.tensor(SPACING) + torch.tensor([(n - 1) / 2 for n in SHAPE]))
        .round()
        .long()
    )
    k, j, i = voxels.unbind(-1)
    torch.testing.assert_close(field.density, blobs[k, j, i])


def test_deviations_follow_the_spacing_where_the_base_is_flat(blobs):
    field = place(blobs, FLAT, SPACING, config(flatness=2.0), np.random.default_rng(1))
    expected = torch.tensor([1.2, 1.5, 4.5])
    assert float((field.log_scales.exp().sort(-1).values - expected).abs().max()) < 1e-5


def test_discs_lie_in_the_edges_of_the_base(blobs):
    ramp = torch.arange(48.0).expand(SHAPE) * 1e-4 + torch.arange(40.0)[:, None] * 1e-4  # rises along x + y
    field = place(blobs, ramp, SPACING, config(flatness=4.0), np.random.default_rng(1))
    scales, axes = field.log_scales.exp(), _quat_to_rotmat(field.quats)
    precision = axes @ torch.diag_embed(scales**-2) @ axes.mT
    deviation = {
        name: float((direction @ precision[0] @ direction).rsqrt())
        for name, direction in (
            ("across", torch.tensor([0.8, 1.0, 0.0])),  # one voxel along x and y, in mm
            ("along", torch.tensor([0.8, -1.0, 0.0])),
            ("z", torch.tensor([0.0, 0.0, 3.0])),
        )
    }
    assert deviation["along"] / deviation["across"] == pytest.approx(4, rel=1e-3)
    assert deviation["z"] == pytest.approx(1.5 * 4 ** (1 / 3), rel=1e-3)
    volumes = field.log_scales.sum(-1).exp()
    torch.testing.assert_close(volumes, torch.full_like(volumes, 1.5**3 * 3.0 * 1.0 * 0.8))


def test_an_empty_residual_still_gives_a_field():
    field = place(torch.zeros(SHAPE), FLAT, SPACING, config(), np.random.default_rng(1))
    assert len(field) == 500
    assert field.density.abs().max() == 0


def test_a_small_volume_gets_fewer_gaussians(blobs):
    field = place(blobs, FLAT, SPACING, config(voxels_each=64.0), np.random.default_rng(1))
    assert len(field) == blobs.numel() // 64

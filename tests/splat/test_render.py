"""The field on a grid is the field, wherever the grid is cut."""

import math

import torch

from nullsplat.physics.projection.beam import beam_for
from nullsplat.physics.projection.projector import Projector
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.render import voxelise_crop, voxelise_field
from nullsplat.splat.kernels.integrate import integrate
from nullsplat.splat.kernels.project import project

SHAPE = (14, 22, 27)
SPACING = (2.5, 0.7, 0.8)


def random_signed(random_field, n: int, dtype: torch.dtype = torch.float32) -> SignedGaussians:
    means, log_scales, quats, z = (t.detach().to(dtype) for t in random_field(n))
    return SignedGaussians(means, log_scales, quats, z, torch.tensor(0.5, dtype=dtype))


def test_slabs_do_not_show(random_field):
    field = random_signed(random_field, 60)
    whole = voxelise_field(field, SHAPE, SPACING, slab=SHAPE[0])
    torch.testing.assert_close(voxelise_field(field, SHAPE, SPACING, slab=3), whole, rtol=1e-4, atol=1e-8)


def test_a_crop_is_a_part_of_the_whole(random_field):
    field = random_signed(random_field, 60)
    whole = voxelise_field(field, SHAPE, SPACING)
    crop = voxelise_crop(field, SHAPE, SPACING, (3, 5, 7), (6, 9, 11))
    torch.testing.assert_close(crop, whole[3:9, 5:14, 7:18], rtol=1e-4, atol=1e-8)


def test_a_grid_without_gaussians_is_zero(random_field):
    field = random_signed(random_field, 5)
    away = SignedGaussians(field.means + 1e4, field.log_scales, field.quats, field.z, field.slope)
    assert voxelise_field(away, SHAPE, SPACING).abs().max() == 0


def test_value_at_a_voxel_follows_the_formula():
    scales = torch.tensor([[2.0, 1.0, 3.0]], dtype=torch.float64)
    c, s = math.cos(0.3), math.sin(0.3)  # half of the turn about z
    field = SignedGaussians(
        torch.tensor([[1.0, -0.5, 2.0]], dtype=torch.float64),
        scales.log(),
        torch.tensor([[c, 0, 0, s]], dtype=torch.float64),
        torch.tensor([-0.04], dtype=torch.float64),
        torch.tensor(0.5, dtype=torch.float64),
    )
    volume = voxelise_field(field, SHAPE, SPACING)
    k, j, i = 7, 10, 14
    x, y, z = (i - 13) * 0.8 - 1.0, (j - 10.5) * 0.7 + 0.5, (k - 6.5) * 2.5 - 2.0
    along, across = x * math.cos(0.6) + y * math.sin(0.6), -x * math.sin(0.6) + y * math.cos(0.6)
    q = (along / 2) ** 2 + across**2 + (z / 3) ** 2
    torch.testing.assert_close(float(volume[k, j, i]), -0.04 * 0.5 * math.exp(-q / 2), rtol=1e-6, atol=0)


def test_projecting_the_grid_approaches_the_line_integrals_as_it_refines():
    torch.manual_seed(3)
    n = 12
    field = SignedGaussians(
        (torch.rand(n, 3, dtype=torch.float64) - 0.5) * torch.tensor([18.0, 18.0, 14.0]),
        torch.log(1.5 + torch.rand(n, 3, dtype=torch.float64)),
        torch.randn(n, 4, dtype=torch.float64),
        torch.randn(n, dtype=torch.float64) * 0.02,
        torch.tensor(0.7, dtype=torch.float64),
    )
    errors = []
    for fineness in (1, 2, 4):
        shape, spacing = (10, 20 * fineness, 20 * fineness), (2.5, 1.6 / fineness, 1.6 / fineness)
        beam = beam_for(shape, spacing, views=5)
        exact = integrate(
            *project(field.means, field.log_scales, field.quats, field.density, beam), beam.shape[1:]
        )
        sampled = Projector(beam, shape, spacing).forward(voxelise_field(field, shape, spacing))
        errors.append(float((sampled - exact).norm() / exact.norm()))
    # Linear interpolation along the rays is second order: half the spacing, a quarter of the error, until the
    # 0.1 % that the cut-off leaves.
    assert errors[1] < errors[0] / 3
    assert errors[2] < errors[1] / 2
    assert errors[2] < 5e-3

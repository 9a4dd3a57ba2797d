"""What holds for sums of Gaussians whatever computes them."""

import dataclasses
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nullsplat.physics.projection.beam import ParallelBeam, beam_for
from nullsplat.physics.projection.projector import Projector
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.render import voxelise_field
from nullsplat.splat.kernels.integrate import integrate
from nullsplat.splat.kernels.project import project
from nullsplat.splat.kernels.voxelise import voxelise

LOST = math.exp(-8)  # of a projection's mass, at the cut-off of 4 deviations
angles = st.floats(0, math.pi)
directions = st.integers(0, 2**31)


def doubles(*values):
    return torch.tensor(values, dtype=torch.float64)


def turn(seed):
    return torch.randn(1, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def picture(tensors, beam):
    return integrate(*project(*tensors, beam), beam.shape[1:])


@settings(max_examples=40)
@given(angles, directions, st.lists(st.floats(1.6, 5), min_size=3, max_size=3), st.sampled_from([-1, 1]))
def test_every_projection_holds_the_mass_but_for_what_is_cut_off(angle, seed, deviations, sign):
    beam = ParallelBeam((angle,), 75, 75, 0.8, 0.7)
    tensors = (doubles([0.3, -0.6, 0.2]), doubles(deviations).log(), turn(seed), doubles(0.02 * sign))
    mass = sign * 0.02 * (2 * math.pi) ** 1.5 * math.prod(deviations)
    held = float(picture(tensors, beam).sum()) * beam.row_spacing * beam.column_spacing / mass
    # The rim of the disc runs through whole pixels: it holds a little more or less than the disc itself.
    assert 1 - 1.3 * LOST < held < 1 - 0.7 * LOST


def test_turning_field_and_beam_together_changes_no_picture(random_field, beam):
    means, log_scales, quats, density = (t.detach() for t in random_field(40))
    angle = 1.1
    c, s = math.cos(angle), math.sin(angle)
    matrix = doubles([c, -s, 0], [s, c, 0], [0, 0, 1])
    w, x, y, z = quats.unbind(-1)
    h, k = math.cos(angle / 2), math.sin(angle / 2)
    turned = torch.stack([h * w - k * z, h * x - k * y, h * y + k * x, h * z + k * w], -1)
    turned_beam = dataclasses.replace(beam, angles=tuple(a + angle for a in beam.angles))
    there = picture((means @ matrix.T, log_scales, turned, density), turned_beam)
    here = picture((means, log_scales, quats, density), beam)
    assert float((there - here).abs().max() / here.abs().max()) < 1e-9


@pytest.mark.parametrize("seed", [0, 1])
def test_pictures_and_volumes_are_linear_in_density(random_footprints, random_blobs, seed):
    torch.manual_seed(seed)
    means, conics, first = (t.detach() for t in random_footprints(2, 80, (37, 53)))
    second = torch.randn_like(first)
    both = integrate(means, conics, 2 * first - 3 * second, (37, 53))
    apart = 2 * integrate(means, conics, first, (37, 53)) - 3 * integrate(means, conics, second, (37, 53))
    torch.testing.assert_close(both, apart, rtol=1e-12, atol=1e-12)
    means, precisions, first = (t.detach() for t in random_blobs(60, (9, 17, 21)))
    second = torch.randn_like(first)
    both = voxelise(means, precisions, 2 * first - 3 * second, (9, 17, 21))
    apart = 2 * voxelise(means, precisions, first, (9, 17, 21)) - 3 * voxelise(
        means, precisions, second, (9, 17, 21)
    )
    torch.testing.assert_close(both, apart, rtol=1e-12, atol=1e-12)


def on_64ths(means):
    """Positions that stay exact in single precision when whole pixels are added."""
    return (means.detach() * 64).round() / 64


@pytest.mark.parametrize(("right", "down"), [(1, 0), (0, 1), (5, 17), (16, 16)])
def test_a_move_by_whole_pixels_moves_the_picture_bit_for_bit(random_footprints, right, down):
    rows, columns = 40, 50
    means, conics, weights = random_footprints(1, 100, (rows, columns), torch.float32)
    here = on_64ths(means)
    still = integrate(here, conics.detach(), weights.detach(), (rows, columns))
    moved = integrate(here + torch.tensor([right, down]), conics, weights, (rows + down, columns + right))
    assert still.abs().max() > 1
    assert torch.equal(moved[:, down:, right:], still)


@pytest.mark.parametrize(("x", "y", "z"), [(1, 0, 0), (0, 1, 0), (0, 0, 1), (7, 5, 9)])
def test_a_move_by_whole_voxels_moves_the_volume_bit_for_bit(random_blobs, x, y, z):
    nz, ny, nx = 12, 15, 20
    means, precisions, density = (t.detach() for t in random_blobs(80, (nz, ny, nx), torch.float32))
    here = on_64ths(means)
    moved = voxelise(here + torch.tensor([x, y, z]), precisions, density, (nz + z, ny + y, nx + x))
    assert torch.equal(moved[z:, y:, x:], voxelise(here, precisions, density, (nz, ny, nx)))


def test_projecting_the_grid_is_second_order_in_its_spacing():
    """The projector interpolates linearly along rays: half the spacing, a quarter of the error."""
    torch.manual_seed(3)
    n = 6
    field = SignedGaussians(
        (torch.rand(n, 3, dtype=torch.float64) - 0.5) * doubles(10.0, 10.0, 6.0),
        torch.log(2 + torch.rand(n, 3, dtype=torch.float64)),
        torch.randn(n, 4, dtype=torch.float64),
        torch.rand(n, dtype=torch.float64) * 0.02,
        doubles(0.7).squeeze(),
    )
    errors = []
    for fineness in (1, 2, 4):
        shape, spacing = (12, 16 * fineness, 16 * fineness), (2.5, 2.4 / fineness, 2.4 / fineness)
        beam = beam_for(shape, spacing, views=5)
        exact = picture((field.means, field.log_scales, field.quats, field.density), beam)
        sampled = Projector(beam, shape, spacing).forward(voxelise_field(field, shape, spacing))
        errors.append(float((sampled - exact).norm() / exact.norm()))
    orders = [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]
    assert orders == pytest.approx([2, 2], abs=0.3)

"""Gradients of the whole way from a field to its pictures and its volume, for awkward Gaussians of either sign.

The references are checked against finite differences, the CPU kernels against the references.
"""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nullsplat.physics.projection.beam import ParallelBeam
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.kernels.integrate import cpu as integrate_cpu
from nullsplat.splat.kernels.integrate import ref as integrate_ref
from nullsplat.splat.kernels.project import cpu as project_cpu
from nullsplat.splat.kernels.project import ref as project_ref
from nullsplat.splat.kernels.voxelise import cpu as voxelise_cpu
from nullsplat.splat.kernels.voxelise import ref as voxelise_ref

PROJECT = {"cpu": project_cpu.project, "ref": project_ref.project}
INTEGRATE = {"cpu": integrate_cpu.integrate, "ref": integrate_ref.integrate}
VOXELISE = {"cpu": voxelise_cpu.voxelise, "ref": voxelise_ref.voxelise}

BEAM = ParallelBeam((0.4, 1.9), 7, 9, 1.25, 0.8)
GRID = (4, 6, 7)
VOXEL = (1.25, 0.8, 0.8)  # mm along (z, y, x)
EXTENT = torch.tensor([7.2, 7.2, 8.75], dtype=torch.float64)  # mm that the detector sees
SHAPES = {
    "ball": (1.0, 1.0, 1.0),
    "needle": (4.0, 0.25, 0.25),
    "pancake": (4.0, 4.0, 0.25),
    "tiny": (0.08, 0.06, 0.07),
    "huge": (50.0, 60.0, 40.0),
}
PLACES = {"inside": 0.2, "border": 0.5, "outside": 0.75}  # distance from the middle, as a part of the extent


@st.composite
def fields(draw):
    """Leaf tensors means, log_scales, quats, z, slope of one to three Gaussians."""
    kinds = draw(st.lists(st.sampled_from(sorted(SHAPES)), min_size=1, max_size=3))
    places = [draw(st.sampled_from(sorted(PLACES))) for _ in kinds]
    signs = [draw(st.sampled_from([-1.0, 1.0])) for _ in kinds]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    n = len(kinds)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    away = torch.nn.functional.normalize(normal(n, 3), dim=-1)
    means = away * EXTENT * torch.tensor([[PLACES[place]] for place in places])
    scales = torch.tensor([SHAPES[kind] for kind in kinds], dtype=torch.float64)
    log_scales = scales.log() + 0.2 * normal(n, 3)
    z = torch.tensor(signs, dtype=torch.float64) * (0.3 + normal(n).abs())
    slope = torch.tensor(0.1 + 0.9 * draw(st.floats(0, 1)), dtype=torch.float64)
    return [t.requires_grad_() for t in (means, log_scales, normal(n, 4), z, slope)]


def picture(tensors, name):
    field = SignedGaussians(*tensors)
    lines = PROJECT[name](field.means, field.log_scales, field.quats, field.density, BEAM)
    return INTEGRATE[name](*lines, BEAM.shape[1:], 4.0)


def volume(tensors, name):
    field = SignedGaussians(*tensors)
    voxel = torch.tensor(VOXEL[::-1], dtype=torch.float64)
    w, x, y, z = torch.nn.functional.normalize(field.quats, dim=-1).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    axes = torch.stack([torch.stack(row, -1) for row in rows], -2) * voxel[:, None]
    precision = axes @ torch.diag_embed(torch.exp(-2 * field.log_scales)) @ axes.mT
    row, column = torch.triu_indices(3, 3)
    middle = torch.tensor([(n - 1) / 2 for n in GRID[::-1]], dtype=torch.float64)
    upper = precision[:, row, column]
    return VOXELISE[name](field.means / voxel + middle, upper, field.density, GRID, 4.0)


def assert_cpu_equals_reference(make, tensors):
    found, right = make(tensors, "cpu"), make(tensors, "ref")
    outer = torch.randn(right.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    of_found = torch.autograd.grad(found, tensors, outer)
    of_right = torch.autograd.grad(right, tensors, outer)
    for a, b in zip([found, *of_found], [right, *of_right], strict=True):
        largest = float(b.detach().abs().max())
        assert float((a - b).detach().abs().max()) <= 1e-8 * largest


@settings(max_examples=25)
@given(fields())
def test_pictures_have_the_gradients_that_finite_differences_give(tensors):
    assert torch.autograd.gradcheck(lambda *t: picture(t, "ref"), tensors, fast_mode=True)


@settings(max_examples=25)
@given(fields())
def test_volumes_have_the_gradients_that_finite_differences_give(tensors):
    assert torch.autograd.gradcheck(lambda *t: volume(t, "ref"), tensors, fast_mode=True)


@settings(max_examples=30)
@given(fields())
def test_pictures_of_the_cpu_are_the_references(tensors):
    assert_cpu_equals_reference(picture, tensors)


@settings(max_examples=30)
@given(fields())
def test_volumes_of_the_cpu_are_the_references(tensors):
    assert_cpu_equals_reference(volume, tensors)


def test_the_slope_learns_from_negative_gaussians_only():
    """d image / d slope is the image of the negative ones per slope: z times their unit pictures."""
    means = torch.zeros(2, 3, dtype=torch.float64)
    quats = torch.tensor([[1.0, 0, 0, 0]] * 2, dtype=torch.float64)
    z = torch.tensor([0.7, -0.4], dtype=torch.float64)
    slope = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    image = picture([means, torch.zeros(2, 3, dtype=torch.float64), quats, z, slope], "cpu")
    (gradient,) = torch.autograd.grad(image.sum(), slope)
    one = SignedGaussians(means[1:], torch.zeros(1, 3, dtype=torch.float64), quats[1:], -z[1:], slope)
    unit = picture([*one.tensors.values()], "cpu").sum().detach()
    assert math.isclose(float(gradient), -float(unit), rel_tol=1e-6)

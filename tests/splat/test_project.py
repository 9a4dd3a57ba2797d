"""A Gaussian's line integrals are a 2-D Gaussian with covariance J S J^T and the mass of the 3-D one."""

import dataclasses
import math

import numba
import pytest
import torch

from nullsplat.physics.projection.beam import ParallelBeam
from nullsplat.splat.kernels.integrate import integrate
from nullsplat.splat.kernels.project import project, ref


def relative(a, b):
    return float(((a - b).abs().max() / b.abs().max().clamp_min(1e-300)).detach())


def covariances(log_scales, quats):
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    rotation = torch.stack([torch.stack(row, -1) for row in rows], -2)
    return rotation @ torch.diag_embed(torch.exp(2 * log_scales)) @ rotation.mT


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-5)])
def test_closed_form_equals_gsplat_forward_and_backward(random_field, beam, dtype, tolerance):
    tensors = random_field(200, dtype)
    found, right = project(*tensors, beam), ref.project(*tensors, beam)
    for a, b in zip(found, right, strict=True):
        assert relative(a, b) < tolerance
    outer = [torch.randn_like(part) / part.detach().abs().max() for part in right]
    pairs = zip(
        torch.autograd.grad(found, tensors, outer), torch.autograd.grad(right, tensors, outer), strict=True
    )
    for a, b in pairs:
        assert relative(a, b) < tolerance


def test_gsplat_equals_the_formula(random_field, beam):
    means, log_scales, quats, density = (t.detach() for t in random_field(50))
    means2d, conics, weights = ref.project(means, log_scales, quats, density, beam)
    whole = covariances(log_scales, quats)
    for v, angle in enumerate(beam.angles):
        J = torch.tensor([[math.cos(angle), math.sin(angle), 0], [0, 0, 1]], dtype=torch.float64)
        seen = J @ whole @ J.T
        pixel = torch.tensor([beam.column_spacing, beam.row_spacing], dtype=torch.float64)
        conic = torch.linalg.inv(seen) * torch.outer(pixel, pixel)
        expected = torch.stack([conic[:, 0, 0], conic[:, 0, 1], conic[:, 1, 1]], -1)
        middle = torch.tensor([(beam.columns - 1) / 2, (beam.rows - 1) / 2], dtype=torch.float64)
        assert relative(conics[v], expected) < 1e-9
        assert relative(means2d[v], means @ J.T / pixel + middle) < 1e-12
        assert relative(weights[v], density * torch.sqrt(2 * torch.pi * whole.det() / seen.det())) < 1e-9


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_every_view_sees_the_mass_of_the_gaussian(sign):
    beam = ParallelBeam(tuple(k * math.pi / 5 for k in range(5)), 60, 100, 1.25, 0.7)
    log_scales = torch.tensor([[2.0, 4.0, 3.0]], dtype=torch.float64).log()
    quats = torch.tensor([[0.3, -0.8, 0.5, 0.1]], dtype=torch.float64)
    density = torch.tensor([sign * 0.02], dtype=torch.float64)
    means = torch.tensor([[3.0, -5.0, 2.0]], dtype=torch.float64)
    image = integrate(*project(means, log_scales, quats, density, beam), (beam.rows, beam.columns))
    seen = image.sum((1, 2)) * beam.row_spacing * beam.column_spacing
    mass = sign * 0.02 * (2 * math.pi) ** 1.5 * 2 * 4 * 3
    torch.testing.assert_close(
        seen, torch.full_like(seen, mass), rtol=5e-4, atol=0
    )  # cut-off: exp(-8) = 3.4e-4


def test_turning_the_field_is_turning_the_beam(random_field, beam):
    means, log_scales, quats, density = (t.detach() for t in random_field(40))
    angle = 0.7
    c, s = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
    h, k = math.cos(angle / 2), math.sin(angle / 2)
    w, x, y, z = quats.unbind(-1)
    turned_quats = torch.stack([h * w - k * z, h * x - k * y, h * y + k * x, h * z + k * w], -1)
    turned_beam = dataclasses.replace(beam, angles=tuple(a + angle for a in beam.angles))
    found = project(means @ turn.T, log_scales, turned_quats, density, turned_beam)
    for a, b in zip(found, project(means, log_scales, quats, density, beam), strict=True):
        assert relative(a, b) < 1e-10


def test_opposite_views_mirror_each_other(random_field, beam):
    tensors = [t.detach() for t in random_field(20)]
    opposite = dataclasses.replace(beam, angles=tuple(a + math.pi for a in beam.angles))
    size = (beam.rows, beam.columns)
    there, back = (integrate(*project(*tensors, b), size) for b in (beam, opposite))
    torch.testing.assert_close(back.flip(-1), there, rtol=1e-9, atol=1e-9)


def test_needles_and_discs_stay_accurate_in_single_precision(beam):
    scales = torch.tensor([[0.01, 5.0, 5.0], [0.01, 0.01, 5.0], [5.0, 0.02, 1.0]])
    quats = torch.tensor([[0.9, 0.1, 0.3, -0.2]] * 3)
    tensors = (torch.zeros(3, 3), scales.log(), quats, torch.ones(3))
    exact = project(*(t.double() for t in tensors), beam)
    single = project(*tensors, beam)
    for a, b in zip(single, exact, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=2e-3, atol=1e-4)


def test_bits_repeat_whatever_the_number_of_threads(random_field, beam):
    tensors = random_field(1500, torch.float32)
    results = []
    before = numba.get_num_threads()
    for threads in (numba.config.NUMBA_NUM_THREADS, numba.config.NUMBA_NUM_THREADS, 1):
        numba.set_num_threads(threads)
        found = project(*tensors, beam)
        outer = [torch.ones_like(part) for part in found]
        results.append([*found, *torch.autograd.grad(found, tensors, outer)])
    numba.set_num_threads(before)
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(*results, strict=True))

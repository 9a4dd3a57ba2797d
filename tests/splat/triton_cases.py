"""The GPU kernels give the reference's answer. Run by test_triton.py, in a process of its own."""

import pytest
import torch

from nullsplat.splat.kernels.integrate import cuda as integrate_cuda
from nullsplat.splat.kernels.integrate import ref as integrate_ref
from nullsplat.splat.kernels.voxelise import cuda as voxelise_cuda
from nullsplat.splat.kernels.voxelise import ref as voxelise_ref

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
# In double precision atomics only change the order of the sum.
TOLERANCE = {torch.float64: 1e-11, torch.float32: 2e-5}
# Tiles have 8 x 16 pixels: less than one, exactly one, just more than one, and a pixel alone.
SIZES = [(1, 1), (1, 40), (35, 1), (7, 15), (8, 16), (9, 17), (19, 37)]


def relative(a, b):
    return float(((a - b).abs().max() / b.abs().max().clamp_min(1e-30)).detach())


def assert_same(found, expected, tensors):
    outer = torch.randn_like(expected)
    assert relative(found, expected) < TOLERANCE[expected.dtype]
    for a, b in zip(
        torch.autograd.grad(found, tensors, outer), torch.autograd.grad(expected, tensors, outer), strict=True
    ):
        assert a.isfinite().all()
        assert relative(a, b) < TOLERANCE[expected.dtype]


def leaves(*tensors):
    return [t.detach().to(DEVICE).requires_grad_() for t in tensors]


def assert_integrate(tensors, size, cutoff=3.5):
    assert_same(
        integrate_cuda.integrate(*tensors, size, cutoff),
        integrate_ref.integrate(*tensors, size, cutoff),
        tensors,
    )


def assert_voxelise(tensors, shape, cutoff=3.5):
    assert_same(
        voxelise_cuda.voxelise(*tensors, shape, cutoff),
        voxelise_ref.voxelise(*tensors, shape, cutoff),
        tensors,
    )


def turned(*deviations):
    """The inverse covariance of these standard deviations, turned at random."""
    rotation, _ = torch.linalg.qr(torch.randn(len(deviations), len(deviations), dtype=torch.float64))
    return rotation @ torch.diag(torch.tensor(deviations, dtype=torch.float64) ** -2) @ rotation.T


def upper(matrices):
    rows, columns = torch.triu_indices(*matrices.shape[1:])
    return matrices[:, rows, columns]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("size", SIZES)
def test_integrate_equals_the_reference(random_footprints, size, dtype):
    assert_integrate(leaves(*random_footprints(2, 6, size, dtype)), size)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 17), (5, 1, 1), (6, 11, 21)])
def test_voxelise_equals_the_reference(random_blobs, shape, dtype):
    assert_voxelise(leaves(*random_blobs(6, shape, dtype)), shape)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_footprints_of_all_shapes_at_and_beyond_the_borders(sign):
    shapes = [(40.0, 0.2), (0.2, 0.2), (15.0, 3.0), (300.0, 300.0), (1.0, 1.0), (1.0, 1.0), (5.0, 0.5)]
    means = [[9, 9.3], [12.5, 3.5], [-4, 20], [10, 10], [-50, 8], [8, 900], [36.4, -0.4]]
    conics = upper(torch.stack([turned(*deviations) for deviations in shapes]))
    weights = sign * torch.linspace(0.5, 2, len(means), dtype=torch.float64)
    tensors = leaves(torch.tensor([means], dtype=torch.float64), conics[None], weights[None])
    assert_integrate(tensors, (19, 37), 4.0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_ellipsoids_of_all_shapes_at_and_beyond_the_borders(sign):
    shapes = [(20.0, 0.3, 0.3), (6.0, 6.0, 0.3), (0.2, 0.2, 0.2), (100.0, 100.0, 100.0), (1.0, 1.0, 1.0)]
    means = [[9, 5.3, 2.5], [0.0, 10.0, 5.0], [12.5, 3.5, 1.0], [10, 5, 3], [8, 5, 400]]
    precisions = upper(torch.stack([turned(*deviations) for deviations in shapes]))
    density = sign * torch.linspace(0.5, 2, len(means), dtype=torch.float64)
    assert_voxelise(leaves(torch.tensor(means, dtype=torch.float64), precisions, density), (6, 11, 21), 4.0)


def test_a_footprint_ends_where_the_reference_ends_it():
    """At whole deviations the border runs through pixels, which belong to the footprint."""
    conic = torch.tensor([[[1.0, 0.0, 1.0]]], dtype=torch.float64)
    tensors = leaves(
        torch.tensor([[[8.0, 9.0]]], dtype=torch.float64), conic, torch.ones(1, 1, dtype=torch.float64)
    )
    for cutoff in (1.0, 2.0, 3.0, 4.0):
        image = integrate_cuda.integrate(*tensors, (19, 17), cutoff)
        assert torch.equal(image != 0, integrate_ref.integrate(*tensors, (19, 17), cutoff) != 0)


def test_no_gaussians_make_an_empty_picture(random_footprints, random_blobs):
    tensors = leaves(*random_footprints(2, 0, (9, 17)))
    image = integrate_cuda.integrate(*tensors, (9, 17), 4.0)
    image.sum().backward()
    assert image.shape == (2, 9, 17)
    assert image.abs().max() == 0
    assert tensors[0].grad.shape == (2, 0, 2)
    assert voxelise_cuda.voxelise(*leaves(*random_blobs(0, (2, 3, 4))), (2, 3, 4), 4.0).abs().max() == 0


def test_what_is_no_gaussian_adds_nothing():
    nan = torch.nan
    conics = [[1.0, 2, 1], [0, 0, 0], [-1, 0, 1], [nan, 0, 1], [1, 0, 1], [1, 0, 1]]
    means = [[5.0, 5]] * 4 + [[1e30, -1e30], [nan, 5]]
    tensors = leaves(torch.tensor([means]), torch.tensor([conics]), torch.ones(1, 6))
    image = integrate_cuda.integrate(*tensors, (12, 12), 4.0)
    image.sum().backward()
    assert image.abs().max() == 0
    assert tensors[2].grad.abs().max() == 0


def test_what_is_no_ellipsoid_adds_nothing():
    nan = torch.nan
    precisions = [
        [1.0, 2, 0, 1, 0, 1],
        [0] * 6,
        [1, 0, 0, 1, 0, -1],
        [nan, 0, 0, 1, 0, 1],
        [1, 0, 0, 1, 0, 1],
    ]
    means = [[5.0, 5, 5]] * 4 + [[1e30, nan, -1e30]]
    tensors = leaves(torch.tensor(means), torch.tensor(precisions), torch.ones(5))
    volume = voxelise_cuda.voxelise(*tensors, (8, 12, 12), 4.0)
    volume.sum().backward()
    assert volume.abs().max() == 0
    assert tensors[2].grad.abs().max() == 0

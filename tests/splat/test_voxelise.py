"""Gaussians are summed on the grid exactly, signed, and repeatably."""

import math

import numba
import pytest
import torch

from nullsplat.core.errors import ConfigurationError
from nullsplat.splat.kernels.voxelise import ref, voxelise

SHAPE = (13, 17, 37)
# Single precision has a polynomial in place of exp, good to 3e-7 relative.
TOLERANCE = {torch.float64: 1e-11, torch.float32: 5e-5}


def relative(a, b):
    return float(((a - b).abs().max() / b.abs().max()).detach())


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_volume_and_gradients_equal_the_reference(random_blobs, dtype):
    tensors = random_blobs(150, SHAPE, dtype)
    volume, expected = voxelise(*tensors, SHAPE), ref.voxelise(*tensors, SHAPE, 4.0)
    outer = torch.randn_like(volume)
    assert relative(volume, expected) < TOLERANCE[dtype]
    for found, right in zip(
        torch.autograd.grad(volume, tensors, outer),
        torch.autograd.grad(expected, tensors, outer),
        strict=True,
    ):
        assert relative(found, right) < TOLERANCE[dtype]


def test_mass_is_density_times_volume_of_the_gaussian():
    deviations = torch.tensor([1.5, 2.0, 2.5], dtype=torch.float64)
    precisions = torch.zeros(1, 6, dtype=torch.float64)
    precisions[0, [0, 3, 5]] = deviations**-2
    means = torch.tensor([[14.2, 13.7, 15.1]], dtype=torch.float64)
    volume = voxelise(means, precisions, torch.tensor([-0.3], dtype=torch.float64), (32, 28, 30))
    mass = -0.3 * (2 * math.pi) ** 1.5 * float(deviations.prod())
    assert float(volume.sum()) == pytest.approx(mass, rel=2e-3)  # the cut-off at 4 deviations loses 0.11 %


def test_gaussians_off_the_grid_leave_no_trace():
    means = torch.tensor([[-40.0, 5.0, 5.0], [5.0, 500.0, 5.0], [5.0, 5.0, -40.0], [1e30, -1e30, 0.0]])
    precisions = torch.tensor([1.0, 0, 0, 1.0, 0, 1.0]).expand(4, 6).contiguous()
    assert voxelise(means, precisions, torch.ones(4), SHAPE).abs().max() == 0


def test_a_precision_that_is_no_ellipsoid_adds_nothing():
    precisions = torch.tensor(
        [[1.0, 2, 0, 1, 0, 1], [0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, -1], [torch.nan, 0, 0, 1, 0, 1]]
    )
    for implementation in (voxelise, ref.voxelise):
        assert implementation(torch.full((4, 3), 6.0), precisions, torch.ones(4), SHAPE, 4.0).abs().max() == 0


def test_bits_repeat_whatever_the_number_of_threads(random_blobs):
    tensors = random_blobs(200, SHAPE, torch.float32)
    results = []
    before = numba.get_num_threads()
    for threads in (numba.config.NUMBA_NUM_THREADS, numba.config.NUMBA_NUM_THREADS, 1):
        numba.set_num_threads(threads)
        volume = voxelise(*tensors, SHAPE)
        results.append([volume.detach(), *torch.autograd.grad(volume, tensors, torch.ones_like(volume))])
    numba.set_num_threads(before)
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(*results, strict=True))


def test_a_cut_off_out_of_range_is_refused(random_blobs):
    with pytest.raises(ConfigurationError, match="cut-off"):
        voxelise(*random_blobs(1, SHAPE), SHAPE, 5.0)

"""Footprints are summed onto the detector exactly, signed, and repeatably."""

import numba
import pytest
import torch

from nullsplat.core.errors import ConfigurationError
from nullsplat.splat.kernels.integrate import integrate, ref

SIZE = (37, 53)
# Single precision has a polynomial in place of exp, good to 3e-7 relative.
TOLERANCE = {torch.float64: 1e-11, torch.float32: 2e-5}


def relative(a, b):
    return float(((a - b).abs().max() / b.abs().max()).detach())


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_image_and_gradients_equal_the_reference(random_footprints, dtype):
    tensors = random_footprints(2, 300, SIZE, dtype)
    image, expected = integrate(*tensors, SIZE), ref.integrate(*tensors, SIZE, 4.0)
    outer = torch.randn_like(image)
    assert relative(image, expected) < TOLERANCE[dtype]
    for found, right in zip(
        torch.autograd.grad(image, tensors, outer), torch.autograd.grad(expected, tensors, outer), strict=True
    ):
        assert relative(found, right) < TOLERANCE[dtype]


def test_gradients_equal_finite_differences(random_footprints):
    tensors = random_footprints(1, 4, (9, 11))
    # The cut-off is a step that finite differences may fall over: give each Gaussian a footprint past the borders.
    wide = [tensors[0], (tensors[1] * 1e-3).detach().requires_grad_(), tensors[2]]
    assert torch.autograd.gradcheck(lambda *t: integrate(*t, (9, 11)), wide, eps=1e-5, atol=1e-5, rtol=1e-4)


def test_a_negative_weight_subtracts_what_a_positive_one_adds(random_footprints):
    means, conics, weights = random_footprints(1, 50, SIZE)
    torch.testing.assert_close(
        integrate(means, conics, -weights, SIZE), -integrate(means, conics, weights, SIZE)
    )
    twice = [torch.cat([t, t], 1) for t in (means, conics)]
    assert integrate(*twice, torch.cat([weights, -weights], 1), SIZE).abs().max() < 1e-6


def test_the_order_of_gaussians_does_not_matter(random_footprints):
    tensors = random_footprints(1, 100, SIZE)
    order = torch.randperm(100)
    torch.testing.assert_close(integrate(*(t[:, order] for t in tensors), SIZE), integrate(*tensors, SIZE))


@pytest.mark.parametrize("cutoff", [2.0, 3.0, 4.0])
def test_what_the_cut_off_loses_is_bounded(cutoff):
    deviation, size = 3.0, (61, 61)
    means = torch.tensor([[[30.3, 29.8]]], dtype=torch.float64)
    conics = torch.tensor([[[deviation**-2, 0.0, deviation**-2]]], dtype=torch.float64)
    image = integrate(means, conics, torch.ones(1, 1, dtype=torch.float64), size, cutoff)
    mass = float(image.sum()) / (2 * torch.pi * deviation**2)
    lost = torch.exp(torch.tensor(-(cutoff**2) / 2)).item()
    # A disc drawn in whole pixels is only as exact as its rim is long.
    assert mass == pytest.approx(1 - lost, abs=lost * 0.2 + 1e-6)


def test_gaussians_off_the_detector_leave_no_trace():
    means = torch.tensor([[[-40.0, 5.0], [500.0, 5.0], [5.0, -40.0], [5.0, 500.0], [1e30, -1e30]]])
    conics = torch.tensor([1.0, 0.0, 1.0]).expand(1, 5, 3).contiguous()
    weights = torch.ones(1, 5, requires_grad=True)
    image = integrate(means, conics, weights, SIZE)
    assert image.abs().max() == 0
    image.sum().backward()
    assert weights.grad.abs().max() == 0


def test_a_conic_that_is_no_ellipse_adds_nothing():
    conics = torch.tensor([[[1.0, 2.0, 1.0], [-1.0, 0.0, -1.0], [0.0, 0.0, 0.0], [torch.nan, 0.0, 1.0]]])
    means = torch.full((1, 4, 2), 10.0)
    for implementation in (integrate, ref.integrate):
        assert implementation(means, conics, torch.ones(1, 4), SIZE, 4.0).abs().max() == 0


def test_bits_repeat_whatever_the_number_of_threads(random_footprints):
    tensors = random_footprints(2, 400, SIZE, torch.float32)
    outer = torch.randn(2, *SIZE)
    results = []
    before = numba.get_num_threads()
    for threads in (numba.config.NUMBA_NUM_THREADS, numba.config.NUMBA_NUM_THREADS, 1):
        numba.set_num_threads(threads)
        image = integrate(*tensors, SIZE)
        results.append([image.detach(), *torch.autograd.grad(image, tensors, outer)])
    numba.set_num_threads(before)
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(*results, strict=True))


@pytest.mark.parametrize("cutoff", [0.0, -1.0, 4.5])
def test_a_cut_off_out_of_range_is_refused(random_footprints, cutoff):
    with pytest.raises(ConfigurationError, match="cut-off"):
        integrate(*random_footprints(1, 1, SIZE), SIZE, cutoff)

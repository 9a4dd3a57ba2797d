"""The GPU kernels give the reference's answer. Run by test_triton.py, in a process of its own."""

import torch

from nullsplat.splat.kernels.integrate import cuda as integrate_cuda
from nullsplat.splat.kernels.integrate import ref as integrate_ref
from nullsplat.splat.kernels.voxelise import cuda as voxelise_cuda
from nullsplat.splat.kernels.voxelise import ref as voxelise_ref

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def relative(a, b):
    return float(((a - b).abs().max() / b.abs().max()).detach())


def assert_same(found, expected, tensors):
    outer = torch.randn_like(expected)
    assert relative(found, expected) < 1e-12  # double precision; atomics only change the order of the sum
    for a, b in zip(
        torch.autograd.grad(found, tensors, outer), torch.autograd.grad(expected, tensors, outer), strict=True
    ):
        assert relative(a, b) < 1e-11


def moved(tensors):
    return [t.detach().to(DEVICE).requires_grad_() for t in tensors]


def test_integrate_equals_the_reference(random_footprints):
    size = (19, 37)
    tensors = moved(random_footprints(2, 6, size))
    assert_same(
        integrate_cuda.integrate(*tensors, size, 3.5), integrate_ref.integrate(*tensors, size, 3.5), tensors
    )


def test_voxelise_equals_the_reference(random_blobs):
    shape = (6, 11, 21)
    tensors = moved(random_blobs(6, shape))
    assert_same(
        voxelise_cuda.voxelise(*tensors, shape, 3.5), voxelise_ref.voxelise(*tensors, shape, 3.5), tensors
    )


def test_what_is_no_gaussian_adds_nothing():
    conics = torch.tensor([[[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]])
    means = torch.tensor([[[5.0, 5.0], [5.0, 5.0], [5.0, 5.0], [1e30, -1e30]]])
    tensors = moved([means, conics, torch.ones(1, 4)])
    image = integrate_cuda.integrate(*tensors, (12, 12), 4.0)
    image.sum().backward()
    assert image.abs().max() == 0
    assert all(t.grad.abs().max() == 0 for t in tensors)

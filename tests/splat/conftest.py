"""Random Gaussians, with enough variety to be awkward."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nullsplat.physics.projection.beam import ParallelBeam, beam_for

SHAPE = (14, 22, 27)
SPACING = (2.5, 0.7, 0.8)


@pytest.fixture
def beam() -> ParallelBeam:
    return beam_for(SHAPE, SPACING, views=6)


@pytest.fixture
def random_field() -> Callable[..., list[Tensor]]:
    """Makes leaf tensors means, log_scales, quats, density: both signs, long and flat shapes, some outside."""

    def make(n: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
        extent = torch.tensor(
            [SHAPE[2] * SPACING[2], SHAPE[1] * SPACING[1], SHAPE[0] * SPACING[0]], dtype=dtype
        )
        means = (torch.rand(n, 3, dtype=dtype) - 0.5) * extent * 1.4
        log_scales = torch.randn(n, 3, dtype=dtype) * 0.5
        quats = torch.randn(n, 4, dtype=dtype)
        density = torch.randn(n, dtype=dtype) * 0.01
        return [tensor.requires_grad_() for tensor in (means, log_scales, quats, density)]

    return make


@pytest.fixture
def random_footprints() -> Callable[..., list[Tensor]]:
    """Makes leaf tensors means2d, conics, weights on a detector of `size`, some beyond its borders."""

    def make(views: int, n: int, size: tuple[int, int], dtype: torch.dtype = torch.float64) -> list[Tensor]:
        extent = torch.tensor([size[1], size[0]], dtype=dtype)
        means = torch.rand(views, n, 2, dtype=dtype) * (extent + 12) - 6
        rotation, _ = torch.linalg.qr(torch.randn(views, n, 2, 2, dtype=dtype))
        deviations = torch.exp(torch.randn(views, n, 2, dtype=dtype) * 0.6)
        conic = rotation @ torch.diag_embed(deviations**-2) @ rotation.mT
        conics = torch.stack([conic[..., 0, 0], conic[..., 0, 1], conic[..., 1, 1]], -1)
        weights = torch.randn(views, n, dtype=dtype)
        return [tensor.requires_grad_() for tensor in (means, conics, weights)]

    return make


@pytest.fixture
def random_blobs() -> Callable[..., list[Tensor]]:
    """Makes leaf tensors means, precisions, density in voxels of a grid, some beyond its borders."""

    def make(n: int, shape: tuple[int, int, int], dtype: torch.dtype = torch.float64) -> list[Tensor]:
        extent = torch.tensor(shape[::-1], dtype=dtype)
        means = torch.rand(n, 3, dtype=dtype) * (extent + 8) - 4
        rotation, _ = torch.linalg.qr(torch.randn(n, 3, 3, dtype=dtype))
        deviations = torch.exp(torch.randn(n, 3, dtype=dtype) * 0.5)
        precision = rotation @ torch.diag_embed(deviations**-2) @ rotation.mT
        row, column = torch.triu_indices(3, 3)
        precisions = precision[:, row, column].contiguous()
        return [tensor.requires_grad_() for tensor in (means, precisions, torch.randn(n, dtype=dtype))]

    return make

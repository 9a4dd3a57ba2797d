"""Gaussians with standard deviations of 1 to 3 pixels or voxels, any direction, both signs, anywhere."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.seeds import numpy_generator

SMALLEST, LARGEST = 1.0, 3.0


def footprints(
    n: int, size: tuple[int, int], device: torch.device
) -> tuple[Float[Tensor, "1 n 2"], Float[Tensor, "1 n 3"], Float[Tensor, "1 n"]]:
    """Means, conics and weights of one view for `integrate`, as leaves with gradients."""
    generator = numpy_generator(0, "bench", "footprints")
    turn = generator.uniform(0, math.pi, n)
    rotation = np.stack([np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)], -1).reshape(n, 2, 2)
    precision = _precision(rotation, generator.uniform(SMALLEST, LARGEST, (n, 2)))
    conics = np.stack([precision[:, 0, 0], precision[:, 0, 1], precision[:, 1, 1]], -1)
    means = generator.uniform(0, 1, (n, 2)) * (size[1], size[0])
    return (
        _leaf(means[None], device),
        _leaf(conics[None], device),
        _leaf(generator.standard_normal((1, n)), device),
    )


def blobs(
    n: int, shape: tuple[int, int, int], device: torch.device
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 6"], Float[Tensor, " n"]]:
    """Means, precisions and densities for `voxelise`, as leaves with gradients."""
    generator = numpy_generator(0, "bench", "blobs")
    rotation, _ = np.linalg.qr(generator.standard_normal((n, 3, 3)))
    precision = _precision(rotation, generator.uniform(SMALLEST, LARGEST, (n, 3)))
    rows, columns = np.triu_indices(3)
    means = generator.uniform(0, 1, (n, 3)) * shape[::-1]
    return (
        _leaf(means, device),
        _leaf(precision[:, rows, columns], device),
        _leaf(generator.standard_normal(n), device),
    )


def field(
    n: int, device: torch.device
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"], Float[Tensor, "n 4"], Float[Tensor, " n"]]:
    """Means (mm), logarithms of the deviations (mm), quaternions and densities for `project`, as leaves."""
    generator = numpy_generator(0, "bench", "field")
    return (
        _leaf(generator.standard_normal((n, 3)) * 50, device),
        _leaf(generator.standard_normal((n, 3)) * 0.3, device),
        _leaf(generator.standard_normal((n, 4)), device),
        _leaf(generator.standard_normal(n), device),
    )


def _precision(rotation: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    precision: np.ndarray = np.einsum("nij,nj,nkj->nik", rotation, deviations**-2, rotation)
    return precision


def _leaf(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device).requires_grad_()

"""Interpolation against scipy, which defines the baselines."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from nullsplat.core.errors import GeometryError
from nullsplat.physics.upsampling import upsample_cubic, upsample_linear

RELATIVE = 1e-5  # single precision against scipy's double


@pytest.mark.parametrize(
    ("lr", "hr"), [((6, 7, 5), (24, 28, 20)), ((4, 9, 8), (16, 9, 8)), ((5, 6, 7), (13, 9, 16))]
)
@pytest.mark.parametrize(("order", "upsample"), [(3, upsample_cubic), (1, upsample_linear)])
def test_equals_map_coordinates(
    lr: tuple[int, ...], hr: tuple[int, ...], order: int, upsample: object
) -> None:
    y = np.random.default_rng(0).normal(100, 300, lr).astype(np.float32)
    axes = [(np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(hr, lr, strict=True)]
    expected = ndimage.map_coordinates(
        y.astype(float), np.meshgrid(*axes, indexing="ij"), order=order, mode="nearest"
    )
    result = upsample(torch.from_numpy(y), hr).numpy()  # type: ignore[operator]
    assert np.abs(result - expected).max() < RELATIVE * np.abs(expected).max()


def test_leading_axes_are_a_batch() -> None:
    y = torch.rand(3, 4, 5)
    torch.testing.assert_close(upsample_cubic(y, (8, 10))[1], upsample_cubic(y[1], (8, 10)))


def test_a_single_slice_is_repeated() -> None:
    y = torch.rand(1, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(upsample_cubic(y, (3, 4, 4)), y.expand(3, 4, 4))


def test_too_few_axes_are_refused() -> None:
    with pytest.raises(GeometryError, match="interpolate 3 axes"):
        upsample_cubic(torch.zeros(4, 4), (8, 8, 8))

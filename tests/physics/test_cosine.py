"""The cosine transform in which noise and structure are told apart."""

import torch

from nullsplat.physics import cosine
from nullsplat.physics.cosine import cosine_transform, inverse_cosine_transform
from nullsplat.physics.mode_product import apply_along_axes


def test_the_inverse_gives_back_what_came_in() -> None:
    x = torch.randn(5, 8, 7, dtype=torch.float64)
    torch.testing.assert_close(inverse_cosine_transform(cosine_transform(x)), x)


def test_power_is_kept() -> None:
    x = torch.randn(5, 8, 7, dtype=torch.float64)
    torch.testing.assert_close(cosine_transform(x).square().sum(), x.square().sum())


def test_a_constant_has_one_coefficient() -> None:
    spectrum = cosine_transform(torch.full((4, 9), 2.0, dtype=torch.float64))
    torch.testing.assert_close(spectrum[0, 0], torch.tensor(2.0 * 6).double())
    assert spectrum.flatten()[1:].abs().max() < 1e-12


def test_matrices_for_the_gpu_are_the_same_transform() -> None:
    x = torch.randn(5, 8, 7, dtype=torch.float64)
    by_matrix = apply_along_axes(x, [cosine._basis(n) for n in x.shape])
    torch.testing.assert_close(by_matrix, cosine_transform(x))


def test_single_precision_stays_single() -> None:
    assert inverse_cosine_transform(cosine_transform(torch.rand(4, 4))).dtype == torch.float32

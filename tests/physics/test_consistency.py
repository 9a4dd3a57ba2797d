"""The three-dimensional consistency step."""

import pytest
import torch
from torch import Tensor

from nullsplat.physics.axis import BOX
from nullsplat.physics.consistency import consistent, remove_noise, residual
from nullsplat.physics.cosine import cosine_transform, inverse_cosine_transform
from nullsplat.physics.degradation import degradation_for

OP = degradation_for((12, 14, 16), (2.5, 1, 2), BOX)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20)


def smooth(generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
    """A random field with power at low frequencies only."""
    field = torch.randn(shape, generator=generator, dtype=torch.float64)
    spectrum = cosine_transform(field)
    for axis, n in enumerate(shape):
        spectrum.narrow(axis, n // 5, n - n // 5).zero_()
    field = inverse_cosine_transform(spectrum)
    return field / field.std()


def test_without_noise_the_step_is_exact(generator: torch.Generator) -> None:
    x = torch.randn(OP.hr_shape, generator=generator, dtype=torch.float64)
    y = torch.randn(OP.lr_shape, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(residual(consistent(x, y, OP), y, OP), torch.zeros_like(y), rtol=0, atol=1e-12)


def test_a_residual_that_is_all_noise_is_left_out(generator: torch.Generator) -> None:
    noise = 15 * torch.randn(24, 24, 24, generator=generator, dtype=torch.float64)
    # Chance keeps the power of small shells a little above sigma^2.
    assert remove_noise(noise, 15.0).square().mean().sqrt() < 0.15 * 15


def test_structure_above_the_noise_is_kept(generator: torch.Generator) -> None:
    structure = 200 * smooth(generator, (24, 24, 24))
    noise = 15 * torch.randn(24, 24, 24, generator=generator, dtype=torch.float64)
    estimate = remove_noise(structure + noise, 15.0)
    assert (estimate - structure).std() < 0.4 * 15
    assert (estimate - structure).std() / structure.std() < 0.03


def test_a_noisy_step_takes_over_less_noise_than_an_exact_one(generator: torch.Generator) -> None:
    truth = 100 * smooth(generator, OP.hr_shape)
    y = OP.forward(truth) + 15 * torch.randn(OP.lr_shape, generator=generator, dtype=torch.float64)
    start = torch.zeros_like(truth)
    exact, gated = consistent(start, y, OP), consistent(start, y, OP, sigma=15.0)
    assert (OP.forward(gated - truth)).std() < 0.5 * (OP.forward(exact - truth)).std()

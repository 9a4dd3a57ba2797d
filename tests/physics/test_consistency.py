"""The three-dimensional consistency step."""

import pytest
import torch
from torch import Tensor

from nullsplat.physics.consistency import consistent, remove_noise, residual, suppress_inconsistent
from nullsplat.physics.cosine import cosine_transform, inverse_cosine_transform
from nullsplat.physics.degradation import degradation_for
from nullsplat.physics.point_spread import BOX

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


@pytest.mark.parametrize(("radius", "painted_hu"), [(1.5, 100.0), (2.5, 100.0), (2.5, 500.0), (4.0, 500.0)])
def test_a_small_structure_that_was_not_measured_does_not_hide_in_the_noise_of_the_volume(
    radius: float, painted_hu: float
) -> None:
    shape, noise_hu = (24, 64, 64), 10.0
    op = degradation_for(shape, (2, 2, 2))
    truth = torch.zeros(op.hr_shape)
    y = op.forward(truth) + noise_hu * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    z, h, w = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in op.hr_shape), indexing="ij")
    ball = painted_hu * (z**2 + h**2 + w**2 < (2 * radius) ** 2).float()
    seen = op.forward(ball)
    inside = seen > 0.5 * seen.max()
    on_the_whole = consistent(truth + ball, y, op, 0.8 * noise_hu)
    locally = suppress_inconsistent(on_the_whole, y, op, noise_hu)
    left = float(op.forward(locally)[inside].mean())
    assert left < 0.5 * float(op.forward(on_the_whole)[inside].mean())
    assert left < 3 * noise_hu


def test_nothing_is_excluded_where_there_is_only_noise() -> None:
    shape, noise_hu = (24, 48, 48), 10.0
    op = degradation_for(shape, (2, 2, 2))
    y = noise_hu * torch.randn(shape, generator=torch.Generator().manual_seed(1))
    changed = suppress_inconsistent(torch.zeros(op.hr_shape), y, op, noise_hu)
    assert float(op.forward(changed).square().mean().sqrt()) < 0.1 * noise_hu


def test_without_noise_excluding_is_exact() -> None:
    op = degradation_for((6, 8, 10), (2, 2, 2))
    y = torch.randn(op.lr_shape)
    x = suppress_inconsistent(torch.randn(op.hr_shape), y, op, 0.0)
    torch.testing.assert_close(op.forward(x), y, atol=1e-4, rtol=1e-4)

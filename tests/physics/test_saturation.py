"""The level at which a volume was cut off."""

import pytest
import torch
from torch import Tensor

from nullsplat.physics.regularisation.saturation import saturation_floor


@pytest.fixture
def clipped() -> Tensor:
    """Air that was cut off at -512 HU, and tissue."""
    hu = torch.full((8, 64, 64), -512.0)
    hu[:, 16:48, 16:48] = 40 + 200 * torch.rand(8, 32, 32)
    return hu


def test_the_plateau_of_a_clean_volume_is_exact(clipped: Tensor) -> None:
    assert saturation_floor(clipped) == -512


@pytest.mark.parametrize("sigma", [5.0, 15.0, 30.0])
def test_noise_on_top_shifts_it_by_less_than_half_the_noise(clipped: Tensor, sigma: float) -> None:
    noisy = clipped + sigma * torch.randn(clipped.shape)
    assert saturation_floor(noisy, sigma) == pytest.approx(-512, abs=sigma / 2)


def test_a_scanner_that_cuts_off_its_own_noise_is_understood(clipped: Tensor) -> None:
    noisy = (clipped + 15 * torch.randn(clipped.shape)).clamp_min(-512)
    assert saturation_floor(noisy, 15.0) == -512


def test_a_rounded_volume_is_understood(clipped: Tensor) -> None:
    assert saturation_floor(clipped.round()) == -512


@pytest.mark.parametrize("sigma", [0.0, 15.0])
def test_tissue_alone_has_no_floor(sigma: float) -> None:
    tissue = 300 * torch.randn(8, 32, 32).cumsum(2) / 8
    assert saturation_floor(tissue, sigma) is None


def test_a_constant_volume_is_its_own_floor() -> None:
    assert saturation_floor(torch.full((2, 3, 4), -7.0)) == -7

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.pipeline.figures import high_frequency_energy, high_frequency_gain


def wave(half_waves: int, shape: tuple[int, int, int] = (32, 8, 8)) -> Float[Tensor, "z y x"]:
    """A function of the cosine basis along z, of amplitude 100."""
    z = (np.arange(shape[0]) + 0.5) / shape[0]
    along = 100 * np.cos(np.pi * half_waves * z)
    return torch.from_numpy(np.broadcast_to(along[:, None, None], shape).astype(np.float32).copy())


@pytest.mark.parametrize(("half_waves", "share"), [(0, 0), (7, 0), (8, 1), (31, 1)])
def test_a_wave_counts_from_where_the_coarse_grid_cannot_hold_it(half_waves: int, share: int) -> None:
    x = wave(half_waves)
    whole = float(x.double().square().sum())
    energy = high_frequency_energy(x, torch.Size((8, 8, 8)))
    assert energy == pytest.approx(share * whole, rel=1e-5, abs=1e-6 * whole)


def test_interpolation_itself_gains_nothing() -> None:
    low = torch.from_numpy(np.random.default_rng(1).normal(0, 300, (8, 8, 8)).astype(np.float32))
    assert high_frequency_gain(upsample_cubic(low, (32, 8, 8)), low) == pytest.approx(1.0, rel=1e-4)


def test_detail_on_top_of_interpolation_is_a_gain_by_its_energy() -> None:
    low = torch.from_numpy(np.random.default_rng(1).normal(0, 300, (8, 8, 8)).astype(np.float32))
    smooth, detail = upsample_cubic(low, (32, 8, 8)), wave(20)
    before = high_frequency_energy(smooth, low.shape)
    cross = 2 * float((smooth * detail).sum())  # the detail lies beyond the coarse grid as a whole
    expected = (before + float(detail.square().sum()) + cross) / before
    assert high_frequency_gain(smooth + detail, low) == pytest.approx(expected, rel=1e-3)


def test_nothing_is_said_where_interpolation_has_nothing_there() -> None:
    assert high_frequency_gain(wave(20), torch.full((8, 8, 8), -1000.0)) is None

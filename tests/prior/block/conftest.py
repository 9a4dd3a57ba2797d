"""Networks and pairs small enough to run in milliseconds."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel
from torch import Tensor

from nullsplat.core.volume import Geometry, Volume
from nullsplat.physics.degradation import degradation_for
from nullsplat.prior.block import pipeline as block_pipeline
from nullsplat.prior.block.network import BLOCK, FOLD, KNOWN
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.block.pool import pair_folder
from nullsplat.prior.block.store import Pair, save_pair
from nullsplat.prior.conditions import CONDITIONS, Conditions
from nullsplat.prior.network import build_scheduler
from nullsplat.prior.residual import UNIT_PER_SPREAD
from nullsplat.prior.task import Task

TINY = {
    "in_channels": (BLOCK + KNOWN) * FOLD**2 + CONDITIONS,
    "out_channels": 3 * BLOCK * FOLD**2,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D",) * 2,
    "up_block_types": ("UpBlock2D",) * 2,
    "add_attention": False,
    "norm_num_groups": 1,
}
NOISY, BEFORE, HERE, AFTER, GAINED, BASE_GAINED = 0, 4, 5, 6, 10, 14
"""Where in the network's images those of a block's slabs begin."""


class Answers(UNet2DModel):
    """A network whose mean is a sum of its own channels, and that remembers what it was asked."""

    def __init__(self, **shares: float) -> None:
        super().__init__(**TINY)
        self.shares = {globals()[name.upper()]: share for name, share in shares.items()}
        self.timesteps: list[Tensor] = []
        self.told: list[Tensor] = []

    def forward(self, folded: Tensor, timesteps: Tensor) -> SimpleNamespace:
        self.timesteps.append(timesteps)
        self.told.append(folded[:, -CONDITIONS:, 0, 0])
        count = BLOCK * FOLD**2
        mean = sum(
            share * folded[:, first * FOLD**2 :][:, :count] for first, share in self.shares.items()
        ) + torch.zeros_like(folded[:, :count])
        return SimpleNamespace(sample=torch.cat([mean, torch.zeros_like(mean), torch.zeros_like(mean)], 1))


def answering(**shares: float) -> BlockPipeline:
    return BlockPipeline(Answers(**shares), build_scheduler("sample"))


def task(shape: tuple[int, ...], thick: bool = True) -> Task:
    """Slices twice as thick as the voxels; with `thick` false, all axes are refined."""
    factors = [2 if n % 2 == 0 and (axis == 0 or not thick) else 1 for axis, n in enumerate(shape)]
    op = degradation_for([n // f for n, f in zip(shape, factors, strict=True)], factors)
    return Task(op, (2.0, 1.0, 1.0), 5.0)


@pytest.fixture
def random_pipeline() -> BlockPipeline:
    """A network that was never trained."""
    torch.manual_seed(1)
    return BlockPipeline(UNet2DModel(**TINY).eval().requires_grad_(False), build_scheduler("sample"))


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave bfloat16 aside, so that tolerances can be those of float32 on every CPU."""
    monkeypatch.setattr(block_pipeline, "fast_bfloat16", lambda device: False)


def whole_numbers(shape: tuple[int, int, int] = (48, 96, 96)) -> Volume:
    """A body with an organ, in whole HU, so that nothing is lost where HU are stored as integers."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    hu = np.where(y**2 + x**2 < 0.8, 40.0, -900.0)
    hu[(y - 0.3) ** 2 + x**2 + z**2 < 0.1] = 500
    hu += np.random.default_rng(0).integers(-20, 20, shape)
    return Volume(hu.astype(np.float32), Geometry(shape, (2.0, 1.0, 1.0)))


def predictable_pair(number: int, shape: tuple[int, int, int] = (40, 24, 24)) -> Pair:
    """One whose truth is the base plus once more what the base gained on cubic interpolation."""
    generator = np.random.default_rng(number)
    base, gained = (generator.integers(-200, 200, shape) for _ in range(2))
    volumes = np.stack([base + gained, base, base - gained, base + gained // 2]).astype(np.int16)
    spread = float(np.sqrt(np.mean(np.square(gained))))
    factors = (4.0, 1.0, 1.0) if number % 2 else (2.0, 2.0, 2.0)
    conditions = Conditions(factors, (0.3, 0.0, 0.0), (2.0, 1.0, 1.0), 5.0, UNIT_PER_SPREAD * spread)
    samples = tuple(round(n / f) for n, f in zip(shape, factors, strict=True))
    return Pair(volumes, (samples[0], samples[1], samples[2]), spread, conditions, refined=number % 2 == 0)


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six predictable pairs."""
    folder = tmp_path_factory.mktemp("pairs")
    for number in range(6):
        save_pair(predictable_pair(number), pair_folder(folder, number))
    return folder

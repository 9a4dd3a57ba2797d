"""Networks and pairs small enough to run in milliseconds."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel
from tests.prior.slab.several_pairs import make_pairs
from torch import Tensor

from nullsplat.core.volume import Geometry, Volume
from nullsplat.prior.slab import pipeline as slab_pipeline
from nullsplat.prior.slab.network import FOLD, KNOWN, build_slab_scheduler
from nullsplat.prior.slab.pairs import SlabPair
from nullsplat.prior.slab.pipeline import SlabPipeline
from nullsplat.prior.slab.store import StoredPair, load_pairs, save_pair

TINY = {
    "in_channels": (1 + KNOWN) * FOLD**2,
    "out_channels": FOLD**2,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D",) * 2,
    "up_block_types": ("UpBlock2D",) * 2,
    "add_attention": False,
    "norm_num_groups": 4,
    "class_embed_type": "timestep",
}


class Answers(UNet2DModel):
    """A network that returns one of its own channels, and remembers what it was asked."""

    NOISY, BEFORE, HERE, AFTER, GAINED = range(1 + KNOWN)

    def __init__(self, channel: int) -> None:
        super().__init__(**TINY)
        self.channel = channel
        self.thickness_labels: list[Tensor] = []
        self.timesteps: list[Tensor] = []

    def forward(self, folded: Tensor, timesteps: Tensor, class_labels: Tensor) -> SimpleNamespace:
        self.thickness_labels.append(class_labels)
        self.timesteps.append(timesteps)
        first = self.channel * FOLD**2
        return SimpleNamespace(sample=folded[:, first : first + FOLD**2])


def answering(channel: int) -> SlabPipeline:
    return SlabPipeline(Answers(channel), build_slab_scheduler())


@pytest.fixture
def random_pipeline() -> SlabPipeline:
    """A network that was never trained."""
    torch.manual_seed(1)
    return SlabPipeline(UNet2DModel(**TINY).eval().requires_grad_(False), build_slab_scheduler())


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave bfloat16 aside, so that tolerances can be those of float32 on every CPU."""
    monkeypatch.setattr(slab_pipeline, "fast_bfloat16", lambda device: False)


def whole_numbers(shape: tuple[int, int, int] = (16, 24, 24)) -> Volume:
    """A body with two organs, in whole HU, so that nothing is lost where HU are stored as integers."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    hu = np.where(y**2 + x**2 < 0.8, 40.0, -900.0)
    hu[(y - 0.3) ** 2 + x**2 + z**2 < 0.1] = 500
    hu += np.random.default_rng(0).integers(-20, 20, shape)
    return Volume(hu.astype(np.float32), Geometry(shape, (2.0, 1.0, 1.0)))


@pytest.fixture(scope="session")
def pairs() -> list[SlabPair]:
    """The first of them has thick slices or not as their seed decides; both kinds are among them."""
    return list(make_pairs([whole_numbers()], 6, seed=0, name="test"))


@pytest.fixture(scope="session")
def stored(pairs: list[SlabPair], tmp_path_factory: pytest.TempPathFactory) -> tuple[StoredPair, ...]:
    folder = tmp_path_factory.mktemp("pairs")
    for i, pair in enumerate(pairs):
        save_pair(pair, Path(folder / f"{i:04d}"))
    return tuple(load_pairs(folder))

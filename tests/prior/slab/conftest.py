"""Networks small enough to run in milliseconds."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DModel
from torch import Tensor

from nullsplat.prior.network import build_scheduler
from nullsplat.prior.slab import pipeline as slab_pipeline
from nullsplat.prior.slab.network import FOLD, KNOWN
from nullsplat.prior.slab.pipeline import SlabPipeline

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
    return SlabPipeline(Answers(channel), build_scheduler("sample"))


@pytest.fixture
def random_pipeline() -> SlabPipeline:
    """A network that was never trained."""
    torch.manual_seed(1)
    return SlabPipeline(UNet2DModel(**TINY).eval().requires_grad_(False), build_scheduler("sample"))


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave bfloat16 aside, so that tolerances can be those of float32 on every CPU."""
    monkeypatch.setattr(slab_pipeline, "fast_bfloat16", lambda device: False)

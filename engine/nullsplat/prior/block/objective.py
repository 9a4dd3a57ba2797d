"""What the block prior learns: what an estimate lacks, from pure conditioning down to the last bit of noise."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DModel
from jaxtyping import Bool, Float
from torch import Tensor

from nullsplat.core.seeds import torch_generator
from nullsplat.prior.block.network import (
    Prediction,
    build_block_unet,
    predict_residual,
)
from nullsplat.prior.block.passes import LAST, CropRefinement, refine_crops
from nullsplat.prior.block.pool import IMAGE, BlockBatch, PairPool
from nullsplat.prior.network import TRAIN_STEPS, build_scheduler

TAIL = 0.05
"""Part of the truths that is to lie below the low bound, and above the high one."""

_VALIDATION_BATCHES = 6
_VALIDATION_CROPS = 4


@dataclass(frozen=True)
class Shares:
    """What a step learns from.

    Attributes:
        mean_share: part of the blocks at the last noise level, where the posterior mean is learned.
        bounds_weight: of the bounds' loss beside that of the mean.
    """

    mean_share: float = 0.75
    bounds_weight: float = 0.2


_SHARES = Shares()


class BlockObjective:
    """Predict truth minus estimate, given estimate, base, cubic interpolation, and a noisy copy of the answer.

    A volume is refined in slabs across two axes, where the estimate is the base, and where rows and columns are refined
    too, in slabs across the third, where it is what the first round made of it. Both are learned at once: such pairs come
    with what the network, as far as it had been trained when they were made, makes of them in the first round. At the
    last noise level the copy holds nothing and the answer is the posterior mean with its bounds; at the levels below it
    is what sampling goes through. The validation loss is what the mean of two axes leaves relative to what the base
    does: 1 is the base itself, 0.8 is 1 dB better.
    """

    def __init__(
        self,
        train: PairPool,
        validation: PairPool,
        size: str = "small",
        volumes: tuple[int, int] = (1, 1),
        shares: Shares = _SHARES,
    ) -> None:
        """Learn from one pool, be judged on another.

        Args:
            train: pairs to learn from.
            validation: pairs of other patients.
            size: of the network, see `build_block_unet`.
            volumes: CTs that the pairs of either side are made of, for the manifest.
            shares: what a step learns from.
        """
        self.train, self.validation, self.size, self.volumes = train, validation, size, volumes
        self.shares = shares
        self._scheduler = build_scheduler("sample")

    @property
    def name(self) -> str:
        """See `Objective`."""
        return f"block-{self.size}"

    @property
    def settings(self) -> dict[str, Any]:
        """See `Objective`."""
        return {
            "size": self.size,
            **asdict(self.shares),
            "crop": list(IMAGE),
            "window": self.train.window,
            "renewal": self.train.renewal,
        }

    @property
    def data(self) -> dict[str, dict[str, int]]:
        """See `Objective`."""
        learned, judged = self.volumes
        return {
            "train": {"ct_volumes": learned},
            "validation": {"ct_volumes": judged, "pairs": self.validation.window},
        }

    def build_unet(self) -> UNet2DModel:
        """See `Objective`."""
        return build_block_unet(self.size).to(memory_format=torch.channels_last)

    def build_scheduler(self) -> DDIMScheduler:
        """See `Objective`."""
        return build_scheduler("sample")

    def draw(self, batch: int, seed: int) -> BlockBatch:
        """See `Objective`."""
        return self.train.blocks(batch, seed)

    def loss(self, unet: UNet2DModel, examples: BlockBatch, seed: int) -> Tensor:
        """See `Objective`."""
        generator = torch_generator(seed, "noise")
        device, clean = unet.device, examples.missing
        timesteps, mean_only = self._levels(len(clean), generator)
        noise = torch.randn(clean.shape, generator=generator)
        noisy = self._scheduler.add_noise(clean, noise, timesteps)
        noisy = torch.where(mean_only[:, None, None, None], 0.0, noisy)
        known, conditions = examples.known.to(device), examples.conditions.to(device)
        found = predict_residual(unet, noisy.to(device), known, timesteps.to(device), conditions)
        clean, weight = clean.to(device), examples.weight.to(device)
        error = (found.mean - clean).square().mean((1, 2, 3))
        bounds = _pinball(clean, found).mean((1, 2, 3)) * mean_only.to(device)
        return ((error + self.shares.bounds_weight * bounds) * weight).mean()

    def validation_losses(self, unet: UNet2DModel) -> Tensor:
        """Error of the posterior mean of both passes, relative to the mean error of the base; see `Objective`."""
        left, before = [], []
        for i in range(_VALIDATION_BATCHES):
            crops = [
                CropRefinement(crop, unet.device) for crop in self.validation.draw(_VALIDATION_CROPS, seed=i)
            ]
            refine_crops(unet, crops)
            left += [crop.error() * crop.weight for crop in crops]
            before += [crop.error_of_base() * crop.weight for crop in crops]
        return torch.stack(left) / torch.stack(before).mean()

    def _levels(self, count: int, generator: torch.Generator) -> tuple[Tensor, Bool[Tensor, " b"]]:
        timesteps = torch.randint(0, TRAIN_STEPS, (count,), generator=generator)
        mean_only = torch.rand(count, generator=generator) < self.shares.mean_share
        return torch.where(mean_only, LAST, timesteps), mean_only


def _pinball(truth: Float[Tensor, "b k h w"], found: Prediction) -> Float[Tensor, "b k h w"]:
    """Least when a share `TAIL` of the truths lies beyond each bound. Source: Koenker and Bassett 1978."""
    below, above = truth - found.low, truth - found.high
    return torch.maximum(TAIL * below, (TAIL - 1) * below) + torch.maximum((1 - TAIL) * above, -TAIL * above)

"""Crops refined across two axes, as `BlockPipeline` refines a volume in its first round."""

import torch
from diffusers import UNet2DModel
from jaxtyping import Float
from torch import Tensor

from nullsplat.prior.block.cutting import cut
from nullsplat.prior.block.network import BLOCK, predict_residual
from nullsplat.prior.block.pool import Crop
from nullsplat.prior.network import TRAIN_STEPS

LAST = TRAIN_STEPS - 1
"""The noise level at which nothing is known of the answer."""


class CropRefinement:
    """The estimate of one crop: the base, and what is added to it."""

    def __init__(self, crop: Crop, device: torch.device) -> None:
        self._crop = crop
        self.truth, self.base, self.cubic = (v.to(device) for v in (crop.truth, crop.base, crop.cubic))
        self.estimate = self.base
        self.weight = torch.tensor(crop.weight, device=device)

    def blocks(self, normal: int) -> Tensor:
        """The first slab of every block."""
        return torch.arange(0, self.base.shape[normal], BLOCK)

    def known(self, normal: int, first: Tensor) -> Float[Tensor, "b c h w"]:
        """See `cutting.cut`."""
        base, cubic = (v.movedim(normal, 0) for v in (self.base, self.cubic))
        phases = self._crop.phases[normal - 1].to(self.base.device)
        return cut(base, base, cubic, first, phases, self._crop.unit)

    def conditions(self, normal: int, first: Tensor) -> Float[Tensor, "b n"]:
        """What the network is told."""
        return torch.tensor(self._crop.conditions[normal - 1], device=self.base.device).expand(len(first), -1)

    def add(self, normal: int, found: Float[Tensor, "b k h w"]) -> None:
        """Add half of the network's answer for all blocks, which the other axis gives the other half of."""
        self.estimate = self.estimate + (found.flatten(0, 1) * self._crop.unit / 2).movedim(0, normal)

    def error(self) -> Tensor:
        """Mean squared error of the estimate, in units of `residual.residual_unit`."""
        return ((self.truth - self.estimate) / self._crop.unit).square().mean()

    def error_of_base(self) -> Tensor:
        """The same of the base."""
        return ((self.truth - self.base) / self._crop.unit).square().mean()


def refine_crops(unet: UNet2DModel, crops: list[CropRefinement]) -> None:
    """Add to all crops' estimates what the network says across both axes."""
    for normal in (1, 2):
        _add(unet, crops, normal)


def _add(unet: UNet2DModel, crops: list[CropRefinement], normal: int) -> None:
    chosen = [crop.blocks(normal) for crop in crops]
    pairs = list(zip(crops, chosen, strict=True))
    known = torch.cat([crop.known(normal, first) for crop, first in pairs])
    conditions = torch.cat([crop.conditions(normal, first) for crop, first in pairs])
    nothing = torch.zeros_like(known[:, :BLOCK])
    timesteps = torch.full((len(known),), LAST, device=known.device)
    found = predict_residual(unet, nothing, known, timesteps, conditions).mean
    for crop, part in zip(crops, torch.split(found, [len(first) for first in chosen]), strict=True):
        crop.add(normal, part)

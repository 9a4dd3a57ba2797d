"""What the slab prior learns: what the base lacks, from pure conditioning down to the last bit of noise."""

from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DModel
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.seeds import torch_generator
from nullsplat.prior.network import TRAIN_STEPS
from nullsplat.prior.slab.network import build_slab_scheduler, build_slab_unet, predict_residual
from nullsplat.prior.slab.pool import SlabBatch, SlabPool

_VALIDATION_BATCHES = 8
_VALIDATION_CROPS = 8


class SlabObjective:
    """Predict truth minus base, given base, cubic interpolation, and a noisy copy of the answer.

    At the last noise level the copy holds nothing and the answer is the posterior mean, which is what one
    evaluation returns; at the levels below it is what sampling goes through. The validation loss is relative to
    what the base leaves: 1 is what the base itself gets, 0.8 is 1 dB better.
    """

    def __init__(
        self, train: SlabPool, validation: SlabPool, size: str = "small", mean_share: float = 0.65
    ) -> None:
        """Learn from one pool, be judged on another.

        Args:
            train: pairs to learn from.
            validation: pairs of other patients.
            size: of the network, see `build_slab_unet`.
            mean_share: part of the examples at the last noise level, where the posterior mean is learned.
        """
        self.train, self.validation, self.size, self.mean_share = train, validation, size, mean_share
        self._scheduler = build_slab_scheduler()

    @property
    def name(self) -> str:
        """See `Objective`."""
        return f"slab-{self.size}"

    @property
    def settings(self) -> dict[str, Any]:
        """See `Objective`."""
        return {
            "size": self.size,
            "mean_share": self.mean_share,
            "projection_share": self.train.projection_share,
            "crop": list(self.train.size),
        }

    @property
    def data(self) -> dict[str, dict[str, int]]:
        """See `Objective`."""
        return {
            "train": {"pairs": len(self.train.pairs)},
            "validation": {"pairs": len(self.validation.pairs)},
        }

    def build_unet(self) -> UNet2DModel:
        """See `Objective`."""
        return build_slab_unet(self.size).to(memory_format=torch.channels_last)

    def build_scheduler(self) -> DDIMScheduler:
        """See `Objective`."""
        return build_slab_scheduler()

    def draw(self, batch: int, seed: int) -> SlabBatch:
        """See `Objective`."""
        return self.train.draw(batch, seed)

    def loss(self, unet: UNet2DModel, examples: SlabBatch, seed: int) -> Tensor:
        """See `Objective`."""
        batch = len(examples.residual)
        generator = torch_generator(seed, "noise")
        timesteps = torch.randint(0, TRAIN_STEPS, (batch,), generator=generator)
        last = torch.rand(batch, generator=generator) < self.mean_share
        timesteps = torch.where(last, TRAIN_STEPS - 1, timesteps)
        noise = torch.randn(examples.residual.shape, generator=generator)
        noisy = self._scheduler.add_noise(examples.residual, noise, timesteps)
        noisy = torch.where(last[:, None, None], 0.0, noisy)
        return _error(unet, examples, noisy, timesteps)

    def validation_losses(self, unet: UNet2DModel) -> Tensor:
        """Relative error of the posterior mean, see `Objective`."""
        batches = (self.validation.draw(_VALIDATION_CROPS, seed=i) for i in range(_VALIDATION_BATCHES))
        return torch.stack([self._mean_error(unet, batch) for batch in batches])

    @staticmethod
    def _mean_error(unet: UNet2DModel, examples: SlabBatch) -> Tensor:
        last = torch.full((len(examples.residual),), TRAIN_STEPS - 1)
        zero = torch.zeros_like(examples.residual)
        weighted = examples.weight[:, None, None] * examples.residual.square()
        return _error(unet, examples, zero, last) / weighted.mean().to(unet.device)


def _error(
    unet: UNet2DModel, examples: SlabBatch, noisy: Float[Tensor, "b h w"], timesteps: Tensor
) -> Tensor:
    device = unet.device
    predicted = predict_residual(
        unet,
        noisy.to(device),
        examples.known.to(device),
        timesteps.to(device),
        examples.thickness.to(device),
    )
    error = (predicted.float() - examples.residual.to(device)).square().mean((1, 2))
    return (error * examples.weight.to(device)).mean()

"""What the training of the X-ray prior minimises."""

from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DModel
from torch import Tensor
from torch.nn.functional import mse_loss

from nullsplat.core.seeds import torch_generator
from nullsplat.prior.network import TRAIN_STEPS, build_scheduler, build_unet
from nullsplat.prior.xray.pool import ImagePool


class VelocityObjective:
    """The unconditional X-ray prior: predict the velocity of noised radiographs and projections.

    The velocity is the noise where little was added, and the image where much was: unlike the noise, it tells the image at
    every level without dividing by what is left of it, which a small network's errors do not survive.
    Source: Salimans and Ho 2022 (arXiv 2202.00512).
    """

    def __init__(
        self,
        train: ImagePool,
        validation: ImagePool,
        size: str = "small",
        low_noise_power: float = 3.0,
        ct_share: float = 0.8,
    ) -> None:
        """Learn from one pool, be judged on another.

        Args:
            train: images to learn from.
            validation: images of other patients.
            size: of the network, see `build_unet`.
            low_noise_power: timesteps are drawn as T u^power with u uniform; above 1 favours the low noise
                levels, where super-resolution of a good initial estimate happens.
            ct_share: part of the crops that comes from CT projections.
        """
        self.size, self.low_noise_power, self.ct_share = size, low_noise_power, ct_share
        self.train, self.validation = train, validation
        self._scheduler = self.build_scheduler()

    @property
    def name(self) -> str:
        """See `Objective`."""
        return f"xray-{self.size}"

    @property
    def settings(self) -> dict[str, Any]:
        """See `Objective`."""
        augmentation = self.train.augmentation
        return {
            "size": self.size,
            "low_noise_power": self.low_noise_power,
            "ct_share": self.ct_share,
            "augmentation": {
                "size": list(augmentation.size),
                "max_shrink": augmentation.max_shrink,
                "gain": augmentation.gain,
            },
        }

    @property
    def data(self) -> dict[str, dict[str, int]]:
        """See `Objective`."""
        return {"train": self.train.description, "validation": self.validation.description}

    def build_unet(self) -> UNet2DModel:
        """See `Objective`."""
        return build_unet(self.size)

    def build_scheduler(self) -> DDIMScheduler:
        """See `Objective`."""
        return build_scheduler("v_prediction")

    def draw(self, batch: int, seed: int) -> Tensor:
        """See `Objective`."""
        return self.train.draw(batch, seed=seed, ct_share=self.ct_share)

    def loss(self, unet: UNet2DModel, examples: Tensor, seed: int) -> Tensor:
        """See `Objective`."""
        return self._error(unet, examples, torch_generator(seed, "noise"))

    def validation_losses(self, unet: UNet2DModel) -> Tensor:
        """See `Objective`."""
        generator = torch_generator(0, "validation")
        losses = [self._error(unet, self.validation.draw(16, seed=i), generator) for i in range(4)]
        return torch.stack(losses)

    def _error(self, unet: UNet2DModel, clean: Tensor, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(len(clean), generator=generator) ** self.low_noise_power
        timesteps = (drawn * TRAIN_STEPS).long()
        noise = torch.randn(clean.shape, generator=generator)
        noisy = self._scheduler.add_noise(clean, noise, timesteps)
        velocity = self._scheduler.get_velocity(clean, noise, timesteps)
        device = unet.device
        predicted: Tensor = unet(noisy.to(device), timesteps.to(device)).sample
        return mse_loss(predicted.float(), velocity.to(device))

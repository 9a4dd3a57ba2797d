"""The network of the slab prior: diffusers' UNet on pixels folded by two, several neighbouring slabs at once."""

from dataclasses import dataclass

import torch
from diffusers import UNet2DModel
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, softplus

from nullsplat.prior.conditions import CONDITIONS
from nullsplat.prior.network import build_residual_unet

FOLD = 2
"""Pixels that are folded into channels along each side: a quarter of the arithmetic for the same receptive field."""

BLOCK = 4
"""Neighbouring slabs that are refined at once: a quarter of the arithmetic, and a view of the third dimension."""

KNOWN = (BLOCK + 2) + BLOCK + BLOCK + 2
"""Channels of what is known: the estimate with a slab before and one after, what it gained on the base, what the base
gained on cubic interpolation, and the phase of the samples along rows and columns."""

_IMAGE_CHANNELS = BLOCK + KNOWN
_CHANNELS = (_IMAGE_CHANNELS * FOLD**2 + CONDITIONS, 3 * BLOCK * FOLD**2)
"""Of input and answer."""


@dataclass(frozen=True)
class Prediction:
    """What the network expects of truth minus estimate, in units of `residual.residual_unit`.

    Attributes:
        mean: its expectation.
        low: below it lies the truth in 5 % of cases.
        high: above it lies the truth in 5 % of cases.
    """

    mean: Float[Tensor, "b k h w"]
    low: Float[Tensor, "b k h w"]
    high: Float[Tensor, "b k h w"]


def build_block_unet(size: str) -> UNet2DModel:
    """A fresh network whose expectation is 0 everywhere, which stands for the estimate itself.

    Args:
        size: `small` (trainable on a CPU) or `base` (for a GPU).

    Raises:
        ConfigurationError: an unknown size.
    """
    return build_residual_unet(size, *_CHANNELS)


def is_block_unet(unet: UNet2DModel) -> bool:
    """Whether a network is one of `build_block_unet`, by its channels."""
    return (unet.config.in_channels, unet.config.out_channels) == _CHANNELS


def predict_residual(
    unet: UNet2DModel,
    noisy: Float[Tensor, "b k h w"],
    known: Float[Tensor, "b c h w"],
    timesteps: Tensor,
    conditions: Float[Tensor, "b n"],
) -> Prediction:
    """The network's expectation of the clean residual (truth minus estimate), in units of `residual.residual_unit`.

    Args:
        unet: of `build_block_unet`.
        noisy: the residual at the noise level of its timestep; zeros at the last one, where nothing is known of it.
        known: what the network is conditioned on, see `known_of`; sides must fit the network's down-sampling.
        timesteps: of the noise, one for each block.
        conditions: what was asked, see `Conditions.along`.
    """
    folded = pixel_unshuffle(torch.cat([noisy, known], 1), FOLD)
    constant = conditions[:, :, None, None].expand(-1, -1, *folded.shape[2:])
    folded = torch.cat([folded, constant.to(folded.dtype)], 1).contiguous(memory_format=torch.channels_last)
    mean, below, above = pixel_shuffle(unet(folded, timesteps).sample.float(), FOLD).chunk(3, 1)
    return Prediction(mean, mean - softplus(below), mean + softplus(above))


def known_of(
    estimate: Float[Tensor, "b e h w"],
    base: Float[Tensor, "b k h w"],
    cubic: Float[Tensor, "b k h w"],
    phases: Float[Tensor, "b 2 h w"],
    unit: float,
) -> Float[Tensor, "b c h w"]:
    """The channels that condition the network.

    Args:
        estimate: of a block's slabs, the one before and the one after, in HU / `HU_UNIT`.
        base: of the block's slabs, in the same unit.
        cubic: interpolation of the block's slabs, in the same unit.
        phases: of the samples along rows and columns, see `conditions.phase`.
        unit: `residual.residual_unit`, in the same unit.
    """
    gained = (estimate[:, 1:-1] - base) / unit
    return torch.cat([estimate, gained, (base - cubic) / unit, phases], 1)

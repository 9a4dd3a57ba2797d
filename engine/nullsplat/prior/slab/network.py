"""The network of the slab prior: diffusers' UNet on pixels folded by two, conditioned on what is known."""

import torch
from diffusers import UNet2DModel
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from nullsplat.prior.network import build_residual_unet

FOLD = 2
"""Pixels that are folded into channels along each side: a quarter of the arithmetic for the same receptive field."""

KNOWN = 4
"""Channels of what is known: base of the slab before, of this one, of the next, and how it differs from cubic."""


def build_slab_unet(size: str) -> UNet2DModel:
    """A fresh network that says 0 to everything, which stands for the base itself.

    Args:
        size: `small` (trainable on a CPU) or `base` (for a GPU).

    Raises:
        ConfigurationError: an unknown size.
    """
    return build_residual_unet(size, (1 + KNOWN) * FOLD**2, FOLD**2, class_embed_type="timestep")


def is_slab_unet(unet: UNet2DModel) -> bool:
    """Whether a network is one of `build_slab_unet`, by its channels."""
    return (unet.config.in_channels, unet.config.out_channels) == ((1 + KNOWN) * FOLD**2, FOLD**2)


def predict_residual(
    unet: UNet2DModel,
    noisy: Float[Tensor, "b h w"],
    known: Float[Tensor, "b 4 h w"],
    timesteps: Tensor,
    thickness: Float[Tensor, " b"],
) -> Float[Tensor, "b h w"]:
    """The network's expectation of the clean residual (truth minus base), in units of `residual.residual_unit`.

    Args:
        unet: of `build_slab_unet`.
        noisy: the residual at the noise level of its timestep; zeros at the last one, where nothing is known of it.
        known: what the network is conditioned on, see `known_of`; sides must fit the network's down-sampling.
        timesteps: of the noise, one for each image.
        thickness: of the slabs in voxels.
    """
    folded = pixel_unshuffle(torch.cat([noisy[:, None], known], 1), FOLD)
    folded = folded.contiguous(memory_format=torch.channels_last)
    predicted: Tensor = unet(folded, timesteps, class_labels=100 * torch.log2(thickness)).sample
    return pixel_shuffle(predicted, FOLD)[:, 0]


def known_of(
    bases: Float[Tensor, "b 3 h w"], cubic: Float[Tensor, "b h w"], unit: float | Float[Tensor, " b"]
) -> Float[Tensor, "b 4 h w"]:
    """The channels that condition the network.

    Args:
        bases: base of the slab before, of this one and of the next, in network range.
        cubic: cubic interpolation of this one, in network range.
        unit: `residual.residual_unit`, in network range.
    """
    scale = unit[:, None, None] if isinstance(unit, Tensor) else unit
    return torch.cat([bases, ((bases[:, 1] - cubic) / scale)[:, None]], 1)

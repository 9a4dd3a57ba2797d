"""What a network of X-rays is asked, and how: it may see whole pixels or folded ones, grey or in the channels of colour."""

import torch
from diffusers import UNet2DModel
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from nullsplat.prior.network import FOLD

_FOLDED, _GREY, _COLOUR = FOLD**2, 1, 3


def is_xray_unet(unet: UNet2DModel) -> bool:
    """Whether a network answers X-ray images by their like: folded (`build_unet`), grey, or grey ones in colour."""
    channels = unet.config.in_channels
    return channels == unet.config.out_channels and channels in {_FOLDED, _GREY, _COLOUR}


def image_channels(unet: UNet2DModel) -> int:
    """Channels of its images: 1, or the 3 of a network for colour images that saw grey ones."""
    return 1 if unet.config.in_channels == _FOLDED else int(unet.config.in_channels)


def multiple_of(unet: UNet2DModel) -> int:
    """What the sides of its images must be multiples of."""
    levels = len(unet.config.block_out_channels)
    return int(_fold(unet) * 2 ** (levels - 1))


def predict(
    unet: UNet2DModel, noisy: Float[Tensor, "b c h w"], timesteps: Tensor | int
) -> Float[Tensor, "b c h w"]:
    """What the network predicts of noisy images: what that is (noise, velocity), its schedule tells.

    Args:
        unet: for which `is_xray_unet`.
        noisy: of `image_channels`, in network range, with sides of `multiple_of`.
        timesteps: of the noise, one for each image or one for all.
    """
    folded = pixel_unshuffle(noisy, _fold(unet)).contiguous(memory_format=torch.channels_last)
    answer: Tensor = unet(folded, timesteps).sample
    return pixel_shuffle(answer.float(), _fold(unet))


def _fold(unet: UNet2DModel) -> int:
    return FOLD if unet.config.in_channels == _FOLDED else 1

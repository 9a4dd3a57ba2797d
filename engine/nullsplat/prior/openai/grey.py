"""A network for grey images from one that was trained on colour images without colour."""

import torch
from diffusers import UNet2DModel

from nullsplat.core.errors import ConfigurationError


def fold_to_grey(unet: UNet2DModel) -> UNet2DModel:
    """The single-channel network that answers as `unet` does to a grey image in all channels, averaged over channels.

    The first convolution of equal channels is one with its weights summed over them, and the mean of the last
    convolution's channels is one with its weights averaged: nothing is lost.

    Args:
        unet: as many channels in as out; the result shares its other parameters.

    Raises:
        ConfigurationError: input and output differ in channels.
    """
    channels, predicted = unet.config.in_channels, unet.config.out_channels
    if channels != predicted:
        raise ConfigurationError(
            f"a network that predicts as many channels as it takes is needed, it takes {channels} and predicts {predicted}"
        )
    state = unet.state_dict()
    state["conv_in.weight"] = state["conv_in.weight"].sum(1, keepdim=True)
    state["conv_out.weight"] = state["conv_out.weight"].mean(0, keepdim=True)
    state["conv_out.bias"] = state["conv_out.bias"].mean(0, keepdim=True)
    with torch.device("meta"):
        grey = UNet2DModel.from_config({**unet.config, "in_channels": 1, "out_channels": 1})
    grey.load_state_dict(state, assign=True)
    grey.eval().requires_grad_(False)
    return grey

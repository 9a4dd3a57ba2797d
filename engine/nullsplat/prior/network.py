"""Denoising networks and their noise schedule, both from diffusers."""

import torch
from diffusers import DDIMScheduler, UNet2DModel

from nullsplat.core.errors import ConfigurationError

TRAIN_STEPS = 1000

_CHANNELS: dict[str, tuple[int, ...]] = {
    "small": (32, 48, 64, 96),
    "base": (64, 128, 192, 256),
}
_RESIDUAL_CHANNELS: dict[str, tuple[int, ...]] = {"small": (64, 128, 192), "base": (96, 192, 288)}


def build_unet(size: str) -> UNet2DModel:
    """A fresh unconditional UNet for single-channel projections.

    Args:
        size: `small` (trainable on a CPU) or `base` (for a GPU).

    Raises:
        ConfigurationError: an unknown size.
    """
    channels = _channels(_CHANNELS, size)
    return UNet2DModel(
        in_channels=1,
        out_channels=1,
        block_out_channels=channels,
        layers_per_block=1 if size == "small" else 2,
        down_block_types=("DownBlock2D",) * len(channels),
        up_block_types=("UpBlock2D",) * len(channels),
        add_attention=size != "small",
        norm_num_groups=8,
    )


def build_residual_unet(size: str, in_channels: int, out_channels: int, **more: str) -> UNet2DModel:
    """A fresh UNet whose answer is 0 everywhere, for a residual: then nothing is added to what is there.

    Args:
        size: `small` (trainable on a CPU) or `base` (for a GPU).
        in_channels: of its input.
        out_channels: of its answer.
        more: further settings of `UNet2DModel`.

    Raises:
        ConfigurationError: an unknown size.
    """
    channels = _channels(_RESIDUAL_CHANNELS, size)
    unet = UNet2DModel(
        in_channels=in_channels,
        out_channels=out_channels,
        block_out_channels=channels,
        layers_per_block=1 if size == "small" else 2,
        down_block_types=("DownBlock2D",) * len(channels),
        up_block_types=("UpBlock2D",) * len(channels),
        add_attention=False,
        norm_num_groups=8,
        **more,
    )
    torch.nn.init.zeros_(unet.conv_out.weight)
    torch.nn.init.zeros_(unet.conv_out.bias)
    return unet


def _channels(table: dict[str, tuple[int, ...]], size: str) -> tuple[int, ...]:
    if size not in table:
        raise ConfigurationError(f"network size must be one of {', '.join(table)}, got {size!r}")
    return table[size]


def build_scheduler(prediction_type: str = "epsilon") -> DDIMScheduler:
    """The paper's schedule: linear beta from 1e-4 to 0.02 in 1000 steps.

    Args:
        prediction_type: what the network predicts: the noise (`epsilon`, the paper's), the clean image or residual
            (`sample`), or of both what is the harder to tell at each noise level (`v_prediction`).
    """
    return DDIMScheduler(
        num_train_timesteps=TRAIN_STEPS,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        clip_sample=False,
        set_alpha_to_one=True,
        prediction_type=prediction_type,
    )

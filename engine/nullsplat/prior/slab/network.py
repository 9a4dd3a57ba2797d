"""The network of the slab prior: diffusers' UNet on pixels folded by two, conditioned on what is known."""

import torch
from diffusers import DDIMScheduler, UNet2DModel
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from nullsplat.core.errors import ConfigurationError
from nullsplat.prior.network import build_scheduler

FOLD = 2
"""Pixels that are folded into channels along each side: a quarter of the arithmetic for the same receptive field."""

KNOWN = 4
"""Channels of what is known: base of the slab before, of this one, of the next, and how it differs from cubic."""

HU_UNIT = 1000.0
"""HU of slabs are divided by this."""

UNIT_PER_SPREAD = 2.0
"""What the base lacks is about twice what it gained on cubic interpolation (median over the training pairs)."""

_CHANNELS: dict[str, tuple[int, ...]] = {"small": (64, 128, 192), "base": (96, 192, 288)}


def build_slab_unet(size: str) -> UNet2DModel:
    """A fresh network that says 0 to everything, which stands for the base itself.

    Args:
        size: `small` (trainable on a CPU) or `base` (for a GPU).

    Raises:
        ConfigurationError: an unknown size.
    """
    if size not in _CHANNELS:
        raise ConfigurationError(f"network size must be one of {', '.join(_CHANNELS)}, got {size!r}")
    channels = _CHANNELS[size]
    unet = UNet2DModel(
        in_channels=(1 + KNOWN) * FOLD**2,
        out_channels=FOLD**2,
        block_out_channels=channels,
        layers_per_block=1 if size == "small" else 2,
        down_block_types=("DownBlock2D",) * len(channels),
        up_block_types=("UpBlock2D",) * len(channels),
        add_attention=False,
        norm_num_groups=8,
        class_embed_type="timestep",
    )
    torch.nn.init.zeros_(unet.conv_out.weight)
    torch.nn.init.zeros_(unet.conv_out.bias)
    return unet


def is_slab_unet(unet: UNet2DModel) -> bool:
    """Whether a network is one of `build_slab_unet`, by its channels."""
    return (unet.config.in_channels, unet.config.out_channels) == ((1 + KNOWN) * FOLD**2, FOLD**2)


def build_slab_scheduler() -> DDIMScheduler:
    """The paper's noise levels, for a network that predicts the clean residual."""
    return build_scheduler("sample")


def predict_residual(
    unet: UNet2DModel,
    noisy: Float[Tensor, "b h w"],
    known: Float[Tensor, "b 4 h w"],
    timesteps: Tensor,
    thickness: Float[Tensor, " b"],
) -> Float[Tensor, "b h w"]:
    """The network's expectation of the clean residual (truth minus base), in units of `residual_unit`.

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


def residual_unit(base: Float[Tensor, "n h w"], cubic: Float[Tensor, "n h w"]) -> float:
    """What residuals of a volume, or of a set of projections, are measured in, so that they are of about unit variance.

    It is known before the answer is: where smoothing in agreement with the measurement changed much, much is missing.
    """
    spread = float((base - cubic).square().mean(dtype=torch.float64).sqrt())
    return max(UNIT_PER_SPREAD * spread, torch.finfo(torch.float32).tiny)


def known_of(
    bases: Float[Tensor, "b 3 h w"], cubic: Float[Tensor, "b h w"], unit: float | Float[Tensor, " b"]
) -> Float[Tensor, "b 4 h w"]:
    """The channels that condition the network.

    Args:
        bases: base of the slab before, of this one and of the next, in network range.
        cubic: cubic interpolation of this one, in network range.
        unit: `residual_unit`, in network range.
    """
    scale = unit[:, None, None] if isinstance(unit, Tensor) else unit
    return torch.cat([bases, ((bases[:, 1] - cubic) / scale)[:, None]], 1)

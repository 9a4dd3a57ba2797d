"""The architecture of OpenAI's diffusion UNets, as far as their checkpoints do not say it themselves.

A checkpoint of guided-diffusion is a bare state dict: how wide, how deep and where it attends is known only to
who trained it. The defaults are those that the method's authors trained their X-ray prior with.

Source: Dhariwal and Nichol 2021 (arXiv 2105.05233); Noh, Oh and Jeong (arXiv 2508.15151) for the defaults.
"""

from dataclasses import dataclass, field
from typing import Any

from nullsplat.core.errors import ConfigurationError

NORM_GROUPS = 32
NORM_EPS = 1e-5

_CHANNEL_MULT: dict[int, tuple[float, ...]] = {
    512: (0.5, 1, 1, 2, 2, 4, 4),
    256: (1, 1, 2, 2, 4, 4),
    128: (1, 1, 2, 3, 4),
    64: (1, 2, 3, 4),
}
"""What guided-diffusion takes for an image size when nothing else is asked for."""


@dataclass(frozen=True)
class OpenAILayout:
    """A UNet of guided-diffusion with `use_scale_shift_norm`, `resblock_updown` and without `learn_sigma`.

    Attributes:
        image_size: side of the training images in pixels; attention is placed relative to it.
        num_channels: base width, also of the sinusoidal time embedding.
        num_res_blocks: residual blocks per level on the way down; one more on the way up.
        channel_mult: width of each level relative to `num_channels`; empty takes guided-diffusion's choice.
        attention_resolutions: sides in pixels of the levels that attend.
        num_head_channels: width of one attention head.
        image_channels: channels of image and predicted noise.
        new_attention_order: queries, keys and values are packed one after the other, not head by head.
    """

    image_size: int = 512
    num_channels: int = 256
    num_res_blocks: int = 2
    channel_mult: tuple[float, ...] = ()
    attention_resolutions: tuple[int, ...] = (32, 16, 8)
    num_head_channels: int = 64
    image_channels: int = 3
    new_attention_order: bool = False
    widths: tuple[int, ...] = field(init=False, repr=False)
    """Channels of each level, finest first."""

    def __post_init__(self) -> None:
        """Refuse a layout that guided-diffusion could not build.

        Raises:
            ConfigurationError: a number is out of range, or the numbers do not fit together.
        """
        counts = (
            self.image_size,
            self.num_channels,
            self.num_res_blocks,
            self.num_head_channels,
            self.image_channels,
        )
        if min(counts) < 1:
            raise ConfigurationError(f"sizes, channels and blocks must be at least 1, got {self}")
        multiples = self.channel_mult or _CHANNEL_MULT.get(self.image_size)
        if multiples is None:
            known = ", ".join(map(str, _CHANNEL_MULT))
            raise ConfigurationError(
                f"image size {self.image_size} has no usual channel_mult (only {known} have); state channel_mult"
            )
        object.__setattr__(self, "widths", tuple(int(m * self.num_channels) for m in multiples))
        self._check_levels()

    def _check_levels(self) -> None:
        if self.image_size % 2 ** (len(self.widths) - 1):
            raise ConfigurationError(
                f"image_size must halve {len(self.widths) - 1} times for {len(self.widths)} levels, got {self.image_size}"
            )
        uneven = [width for width in self.widths if width < 1 or width % NORM_GROUPS]
        if uneven:
            raise ConfigurationError(
                f"channels of every level must be a multiple of {NORM_GROUPS}, the groups of the norm, got {uneven}"
            )
        nowhere = set(self.attention_resolutions) - set(self.resolutions)
        if nowhere:
            raise ConfigurationError(
                f"attention_resolutions must be among the levels' {self.resolutions}, got {sorted(nowhere)}"
            )
        attending = [w for w, attends in zip(self.widths, self.attention, strict=True) if attends]
        if any(width % self.num_head_channels for width in (*attending, self.widths[-1])):
            raise ConfigurationError(
                f"channels where the network attends must be a multiple of num_head_channels={self.num_head_channels}, "
                f"got {[*attending, self.widths[-1]]}"
            )

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Side in pixels of each level, finest first."""
        return tuple(self.image_size >> level for level in range(len(self.widths)))

    @property
    def attention(self) -> tuple[bool, ...]:
        """Whether each level attends, finest first; the middle always does."""
        return tuple(resolution in self.attention_resolutions for resolution in self.resolutions)

    @property
    def needs_time_table(self) -> bool:
        """Whether the time embedding is not as wide as the first level, which diffusers takes for granted."""
        return self.widths[0] != self.num_channels

    def unet_config(self, timesteps: int) -> dict[str, Any]:
        """What diffusers' `UNet2DModel` is built with to be the same network.

        Args:
            timesteps: of the noise schedule; used where the time embedding must become a table.
        """
        down = ["AttnDownBlock2D" if attends else "ResnetDownsampleBlock2D" for attends in self.attention]
        up = ["AttnUpBlock2D" if attends else "ResnetUpsampleBlock2D" for attends in reversed(self.attention)]
        time = {"time_embedding_type": "positional", "flip_sin_to_cos": True, "freq_shift": 0}
        if self.needs_time_table:
            time = {"time_embedding_type": "learned", "num_train_timesteps": timesteps}
        return {
            "sample_size": self.image_size,
            "in_channels": self.image_channels,
            "out_channels": self.image_channels,
            "block_out_channels": self.widths,
            "layers_per_block": self.num_res_blocks,
            "down_block_types": tuple(down),
            "up_block_types": tuple(up),
            "downsample_type": "resnet",
            "upsample_type": "resnet",
            "resnet_time_scale_shift": "scale_shift",
            "attention_head_dim": self.num_head_channels,
            "norm_num_groups": NORM_GROUPS,
            "attn_norm_num_groups": NORM_GROUPS,  # or the middle would attend without a norm
            "norm_eps": NORM_EPS,
            "time_embedding_dim": 4 * self.num_channels,
            **time,
        }

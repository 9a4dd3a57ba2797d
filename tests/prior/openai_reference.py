"""OpenAI's UNet (Dhariwal and Nichol 2021, arXiv 2105.05233, as in guided-diffusion), written from its description.

Nothing here is made for speed: it is what the conversion is compared with. Only the names of the parameters are
those of OpenAI's checkpoints.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-5)


class Residual(nn.Module):
    """Two convolutions beside a shortcut; the time embedding scales and shifts between them."""

    def __init__(self, taken: int, given: int, time: int, resample: str = "") -> None:
        super().__init__()
        self.resample = resample
        self.in_layers = nn.Sequential(norm(taken), nn.SiLU(), nn.Conv2d(taken, given, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time, 2 * given))
        self.out_layers = nn.Sequential(
            norm(given), nn.SiLU(), nn.Dropout(0.0), nn.Conv2d(given, given, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if taken == given else nn.Conv2d(taken, given, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        inner = self._resampled(functional.silu(self.in_layers[0](x)))
        inner = self.out_layers[0](self.in_layers[2](inner))
        scale, shift = self.emb_layers(time)[:, :, None, None].chunk(2, dim=1)
        inner = self.out_layers[3](functional.silu(inner + inner * scale + shift))
        return self.skip_connection(self._resampled(x)) + inner

    def _resampled(self, x: Tensor) -> Tensor:
        if self.resample == "up":
            return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        if self.resample == "down":
            return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4
        return x


class Attention(nn.Module):
    """Every pixel attends to every other; the heads are done one by one."""

    def __init__(self, channels: int, head: int, new_order: bool) -> None:
        super().__init__()
        self.head, self.new_order = head, new_order
        self.norm = norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        pixels = x.flatten(2)
        packed = self.qkv(self.norm(pixels))
        heads = [self._head(packed, i) for i in range(x.shape[1] // self.head)]
        return (pixels + self.proj_out(torch.cat(heads, dim=1))).view_as(x)

    def _head(self, packed: Tensor, i: int) -> Tensor:
        size, channels = self.head, packed.shape[1] // 3
        if self.new_order:
            starts = [i * size, channels + i * size, 2 * channels + i * size]
        else:
            starts = [3 * i * size, 3 * i * size + size, 3 * i * size + 2 * size]
        q, k, v = (packed[:, start : start + size] for start in starts)
        scale = size**-0.25  # of queries and of keys
        attention = ((q * scale).transpose(1, 2) @ (k * scale)).softmax(-1)
        return v @ attention.transpose(1, 2)


class OpenAIUNet(nn.Module):
    """The whole network.

    `exact_time` computes the sinusoids in double precision instead of rounding their arguments to float32.
    """

    def __init__(
        self,
        *,
        image_size: int,
        num_channels: int,
        channel_mult: tuple[float, ...],
        attention_resolutions: tuple[int, ...],
        num_head_channels: int,
        num_res_blocks: int = 2,
        new_attention_order: bool = False,
        outputs: int = 3,
        exact_time: bool = False,
    ) -> None:
        super().__init__()
        self.num_channels, self.exact_time = num_channels, exact_time
        time = 4 * num_channels

        def level_block(taken: int, given: int, resolution: int) -> nn.ModuleList:
            block = nn.ModuleList([Residual(taken, given, time)])
            if resolution in attention_resolutions:
                block.append(Attention(given, num_head_channels, new_attention_order))
            return block

        self.time_embed = nn.Sequential(nn.Linear(num_channels, time), nn.SiLU(), nn.Linear(time, time))
        widths = [int(multiple * num_channels) for multiple in channel_mult]
        width, resolution = widths[0], image_size
        self.input_blocks = nn.ModuleList([nn.ModuleList([nn.Conv2d(3, width, 3, padding=1)])])
        skipped = [width]
        for level, given in enumerate(widths):
            for _ in range(num_res_blocks):
                self.input_blocks.append(level_block(width, given, resolution))
                width = given
                skipped.append(width)
            if level + 1 < len(widths):
                self.input_blocks.append(nn.ModuleList([Residual(width, width, time, "down")]))
                skipped.append(width)
                resolution //= 2
        middle = Attention(width, num_head_channels, new_attention_order)
        self.middle_block = nn.ModuleList(
            [Residual(width, width, time), middle, Residual(width, width, time)]
        )
        self.output_blocks = nn.ModuleList()
        for level, given in reversed(list(enumerate(widths))):
            for _ in range(num_res_blocks + 1):
                self.output_blocks.append(level_block(width + skipped.pop(), given, resolution))
                width = given
            if level > 0:
                self.output_blocks[-1].append(Residual(width, width, time, "up"))
                resolution *= 2
        self.out = nn.Sequential(norm(width), nn.SiLU(), nn.Conv2d(width, outputs, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        time = self.time_embed(self._sinusoids(t).to(x.dtype))
        kept = []
        h = self.input_blocks[0][0](x)
        kept.append(h)
        for block in self.input_blocks[1:]:
            h = self._through(block, h, time)
            kept.append(h)
        h = self._through(self.middle_block, h, time)
        for block in self.output_blocks:
            h = self._through(block, torch.cat([h, kept.pop()], dim=1), time)
        return self.out(h)

    @staticmethod
    def _through(block: nn.ModuleList, h: Tensor, time: Tensor) -> Tensor:
        for module in block:
            h = module(h, time)
        return h

    def _sinusoids(self, t: Tensor) -> Tensor:
        dtype = torch.float64 if self.exact_time else torch.float32
        half = self.num_channels // 2
        frequency = torch.exp(-math.log(10000) * torch.arange(half, dtype=dtype) / half)
        angle = t.to(dtype)[:, None] * frequency
        return torch.cat([angle.cos(), angle.sin()], dim=1)


def randomised(unet: OpenAIUNet, seed: int = 0) -> OpenAIUNet:
    """Give every parameter a random value: norms, biases and what training starts at zero included."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in unet.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:  # keeps the variance from layer to layer
            noise = noise / math.sqrt(parameter[0].numel())
        elif name.endswith("weight"):  # of a norm
            noise = 1 + 0.3 * noise
        parameter.data = 0.3 * noise if name.endswith("bias") else noise
    return unet.eval().requires_grad_(False)

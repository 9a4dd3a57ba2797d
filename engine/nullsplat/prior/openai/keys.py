"""Which parameter of OpenAI's UNet becomes which of diffusers' `UNet2DModel`.

Both number their blocks in the order of computation, but cut the sequence differently: OpenAI counts single blocks
through all levels (`input_blocks.7`), diffusers counts within a level (`down_blocks.1.resnets.0`). In OpenAI's up
path the block that doubles the resolution is the last module of the level's last block.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from torch import Tensor

from nullsplat.prior.openai.layout import OpenAILayout


class Form(Enum):
    """How a parameter is stored."""

    SAME = "as in diffusers"
    POINTWISE = "a convolution of one pixel where diffusers has a matrix"
    PACKED = "queries, keys and values in one"


@dataclass(frozen=True)
class Move:
    """One parameter of the checkpoint and where it goes.

    Attributes:
        source: key in the checkpoint.
        targets: keys in diffusers; three for packed queries, keys and values.
        form: how it is stored.
    """

    source: str
    targets: tuple[str, ...]
    form: Form = Form.SAME

    def source_shape(self, target: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that the checkpoint must have, from the shape of (each of) the targets."""
        if self.form is Form.SAME:
            return target
        rows = 3 * target[0] if self.form is Form.PACKED else target[0]
        return (rows, *target[1:], 1) if len(target) > 1 else (rows,)

    def apply(self, parameter: Tensor, layout: OpenAILayout) -> dict[str, Tensor]:
        """The parameter in diffusers' form, on the same device."""
        if self.form is not Form.SAME and parameter.ndim > 1:
            parameter = parameter.squeeze(-1)
        if self.form is not Form.PACKED:
            return {self.targets[0]: parameter}
        return dict(zip(self.targets, _unpacked(parameter, layout), strict=True))


def moves(layout: OpenAILayout) -> Iterator[Move]:
    """All moves of a layout; `skip_connection` also for blocks that keep their width and so have none."""
    yield from _plain("time_embed.0", "time_embedding.linear_1")
    yield from _plain("time_embed.2", "time_embedding.linear_2")
    yield from _plain("input_blocks.0.0", "conv_in")
    yield from _down(layout)
    yield from _resnet("middle_block.0", "mid_block.resnets.0")
    yield from _attention("middle_block.1", "mid_block.attentions.0")
    yield from _resnet("middle_block.2", "mid_block.resnets.1")
    yield from _up(layout)
    yield from _plain("out.0", "conv_norm_out")
    yield from _plain("out.2", "conv_out")


def _unpacked(parameter: Tensor, layout: OpenAILayout) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values, each [channels, ...] with the heads one after the other."""
    if layout.new_attention_order:
        q, k, v = parameter.chunk(3)
    else:
        heads = parameter.reshape(-1, 3, layout.num_head_channels, *parameter.shape[1:])
        q, k, v = (heads[:, i].flatten(0, 1) for i in range(3))
    return q, k, v


def _down(layout: OpenAILayout) -> Iterator[Move]:
    block = 1  # 0 is the first convolution
    for level, attends in enumerate(layout.attention):
        target = f"down_blocks.{level}"
        for i in range(layout.num_res_blocks):
            yield from _resnet(f"input_blocks.{block}.0", f"{target}.resnets.{i}")
            if attends:
                yield from _attention(f"input_blocks.{block}.1", f"{target}.attentions.{i}")
            block += 1
        if level < len(layout.widths) - 1:
            yield from _resnet(f"input_blocks.{block}.0", f"{target}.downsamplers.0")
            block += 1


def _up(layout: OpenAILayout) -> Iterator[Move]:
    block = 0
    for level, attends in enumerate(reversed(layout.attention)):
        target = f"up_blocks.{level}"
        for i in range(layout.num_res_blocks + 1):
            yield from _resnet(f"output_blocks.{block}.0", f"{target}.resnets.{i}")
            if attends:
                yield from _attention(f"output_blocks.{block}.1", f"{target}.attentions.{i}")
            block += 1
        if level < len(layout.widths) - 1:
            last = f"output_blocks.{block - 1}.{2 if attends else 1}"
            yield from _resnet(last, f"{target}.upsamplers.0")


def _resnet(source: str, target: str) -> Iterator[Move]:
    yield from _plain(f"{source}.in_layers.0", f"{target}.norm1")
    yield from _plain(f"{source}.in_layers.2", f"{target}.conv1")
    yield from _plain(f"{source}.emb_layers.1", f"{target}.time_emb_proj")
    yield from _plain(f"{source}.out_layers.0", f"{target}.norm2")
    yield from _plain(f"{source}.out_layers.3", f"{target}.conv2")
    yield from _plain(f"{source}.skip_connection", f"{target}.conv_shortcut")


def _attention(source: str, target: str) -> Iterator[Move]:
    yield from _plain(f"{source}.norm", f"{target}.group_norm")
    for kind in ("weight", "bias"):
        packed = tuple(f"{target}.{part}.{kind}" for part in ("to_q", "to_k", "to_v"))
        yield Move(f"{source}.qkv.{kind}", packed, Form.PACKED)
        yield Move(f"{source}.proj_out.{kind}", (f"{target}.to_out.0.{kind}",), Form.POINTWISE)


def _plain(source: str, target: str) -> Iterator[Move]:
    for kind in ("weight", "bias"):
        yield Move(f"{source}.{kind}", (f"{target}.{kind}",))

"""Images of any size through a network made for small ones: overlapping tiles, blended without seams."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from nullsplat.core.errors import ConfigurationError

Predict = Callable[[Tensor], Tensor]
"""From a batch of images [b, c, h, w] to one answer each [b, ..., h, w]."""


@dataclass(frozen=True)
class Tiling:
    """How images are cut.

    Attributes:
        size: pixels along each side; images that fit into one tile are not cut.
        overlap: pixels that neighbours share at least; there one fades into the other.
        multiple: sides of a tile are padded to multiples of this, as down-sampling needs.
    """

    size: int = 256
    overlap: int = 32
    multiple: int = 8

    def __post_init__(self) -> None:
        """Refuse tiles that cannot cover an image.

        Raises:
            ConfigurationError: overlap is not smaller than half a tile, or a size is below 1.
        """
        if not 0 <= 2 * self.overlap < self.size or self.multiple < 1:
            raise ConfigurationError(f"tiles need 0 <= 2 overlap < size and multiple >= 1, got {self}")


def in_tiles(predict: Predict, images: Float[Tensor, "b c h w"], tiling: Tiling) -> Float[Tensor, "b *m h w"]:
    """`predict` on each tile, blended with weights that sum to 1 everywhere.

    Args:
        predict: the network.
        images: of any size.
        tiling: how to cut.
    """
    height, width = images.shape[2:]
    if max(height, width) <= tiling.size:
        return _padded(predict, images, tiling.multiple)
    rows, columns = _spans(height, tiling), _spans(width, tiling)
    out: Tensor | None = None
    for row, weight_down in rows:
        for column, weight_across in columns:
            part = _padded(predict, images[:, :, row, column], tiling.multiple)
            weight = weight_down[:, None] * weight_across
            if out is None:
                out = part.new_zeros(*part.shape[:-2], height, width)
            out[..., row, column] += part * weight.to(part.device, part.dtype)
    assert out is not None  # noqa: S101 - there is at least one tile
    return out


def _padded(predict: Predict, tile: Float[Tensor, "b c h w"], multiple: int) -> Float[Tensor, "b *m h w"]:
    """`predict` on a tile, continued by its last row and column to what the network needs."""
    height, width = tile.shape[2:]
    bottom, right = -height % multiple, -width % multiple
    predicted = predict(pad(tile, (0, right, 0, bottom), mode="replicate"))
    return predicted[..., :height, :width]


def _spans(length: int, tiling: Tiling) -> list[tuple[slice, Float[Tensor, " n"]]]:
    """Where the tiles of one axis lie, evenly spread, and how much each counts at each of its pixels."""
    if length <= tiling.size:
        return [(slice(0, length), torch.ones(length))]
    count = -(-(length - tiling.overlap) // (tiling.size - tiling.overlap))
    starts = [round(i * (length - tiling.size) / (count - 1)) for i in range(count)]
    spans = [slice(start, start + tiling.size) for start in starts]
    weights = [_fade(tiling.size, i > 0, i < count - 1, tiling.overlap) for i in range(count)]
    total = torch.zeros(length)
    for span, weight in zip(spans, weights, strict=True):
        total[span] += weight
    return [(span, weight / total[span]) for span, weight in zip(spans, weights, strict=True)]


def _fade(size: int, at_start: bool, at_end: bool, overlap: int) -> Float[Tensor, " n"]:
    weight = torch.ones(size)
    ramp = (torch.arange(overlap) + 0.5) / max(overlap, 1)
    if at_start:
        weight[:overlap] = ramp
    if at_end:
        weight[size - overlap :] *= ramp.flip(0)
    return weight

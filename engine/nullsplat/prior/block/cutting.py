"""How a volume is cut into blocks of neighbouring slabs, in training as in use."""

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.prior.block.network import BLOCK, known_of
from nullsplat.prior.conditions import phase


def rounds_of(thick: bool) -> tuple[tuple[int, ...], ...]:
    """Axes of (z, y, x) across which slabs are cut, by rounds.

    The passes of a round see the same estimate, to which the mean of their answers is added (docs/adr/0035). Slabs
    across y and x show thick slices from the side; those across z show nothing that is missing, unless rows and columns
    are refined too.
    """
    return ((1, 2),) if thick else ((1, 2), (0,))


def image_axes(normal: int) -> tuple[int, int]:
    """Rows and columns of slabs that are cut across an axis."""
    rows, columns = (axis for axis in range(3) if axis != normal)
    return rows, columns


def cut(
    estimate: Float[Tensor, "n h w"],
    base: Float[Tensor, "n h w"],
    cubic: Float[Tensor, "n h w"],
    first: Tensor,
    phases: Float[Tensor, "2 h w"],
    unit: float,
) -> Float[Tensor, "b c h w"]:
    """What is known of some blocks; beyond the ends, the last slab is repeated.

    Args:
        estimate: volume in HU / `HU_UNIT`, slabs first.
        base: the same of the base.
        cubic: the same of cubic interpolation.
        first: slab that each block begins with [b].
        phases: of rows and columns, see `phase_image`.
        unit: `residual.residual_unit`, in the same unit.
    """
    inside = (first[:, None] + torch.arange(BLOCK)).clamp(0, len(base) - 1)
    around = (first[:, None] + torch.arange(-1, BLOCK + 1)).clamp(0, len(base) - 1)
    images = phases.expand(len(first), *phases.shape)
    return known_of(estimate[around], base[inside], cubic[inside], images, unit)


def phase_image(samples: tuple[int, int], shape: tuple[int, int]) -> Float[Tensor, "2 h w"]:
    """The phase of the samples along rows and along columns, as two images."""
    rows, columns = (phase(n, m) for n, m in zip(samples, shape, strict=True))
    return torch.stack([rows[:, None].expand(shape), columns[None].expand(shape)])

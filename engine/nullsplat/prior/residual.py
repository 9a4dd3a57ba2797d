"""What a base lacks, in a unit that is known before the answer is."""

import torch
from jaxtyping import Float
from torch import Tensor

HU_UNIT = 1000.0
"""HU of slabs are divided by this."""

UNIT_PER_SPREAD = 2.0
"""What the base lacks is about twice what it gained on cubic interpolation (median over the training pairs)."""

TINY = torch.finfo(torch.float32).tiny
"""Smallest unit in network range: below it, dividing by it is not safe where denormal numbers count as zero."""


def residual_unit(base: Float[Tensor, "n h w"], cubic: Float[Tensor, "n h w"]) -> float:
    """What residuals of a volume are measured in, so that they are of about unit variance.

    Where smoothing in agreement with the measurement changed much, much is missing.
    """
    spread = float((base - cubic).square().mean(dtype=torch.float64).sqrt())
    return max(UNIT_PER_SPREAD * spread, TINY)

"""The scale on which the volume is regularised: HU shifted and divided so that the body lies in [0, 1]."""

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.units import LOWEST_HU

RANGE_HU = 3583.0
"""Width of the evaluation's clip, [-512, 3071] HU: TV settings tuned there mean the same here."""


def encode(hu: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """HU to the regulariser's scale; the lowest HU is 0."""
    return (hu - LOWEST_HU) / RANGE_HU


def decode(value: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The regulariser's scale to HU."""
    return value * RANGE_HU + LOWEST_HU

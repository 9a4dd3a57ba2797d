"""One scale for radiographs and line integrals, so that one prior serves both."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

_QUANTILE = 0.999
_MAX_DRAWN = 1_000_000


@dataclass(frozen=True)
class Normalisation:
    """Maps line integrals [0, scale] to the network's [-1, 1].

    Radiographs are detector images after log and display processing, in [0, 1]; line integrals of a body
    end somewhere between 3 and 12. Dividing by a high quantile of all views of the same volume brings both
    to the same range and keeps the ratio between views, which scaling each view alone would lose.

    Attributes:
        scale: line integral that maps to 1.
    """

    scale: float

    def encode(self, p: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Line integrals to network range."""
        return p * (2 / self.scale) - 1

    def decode(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Network range to line integrals."""
        return (x + 1) * (self.scale / 2)

    def encode_sigma(self, sigma: float) -> float:
        """A standard deviation of line integrals in network range."""
        return sigma * 2 / self.scale


def normalisation_for(projections: Float[Tensor, "v z u"]) -> Normalisation:
    """The scale of a set of views of one volume: the 99.9 % quantile of all pixels."""
    values = projections.flatten()
    stride = max(1, values.numel() // _MAX_DRAWN)
    while math.gcd(stride, projections.shape[-1]) > 1:  # or only some of the columns would be looked at
        stride += 1
    scale = float(np.quantile(values[::stride].cpu().numpy(), _QUANTILE))
    return Normalisation(max(scale, float(torch.finfo(torch.float32).tiny)))

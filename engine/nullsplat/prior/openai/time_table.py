"""The sinusoidal time embedding of a UNet as a table, where diffusers has no room for the sinusoids themselves.

OpenAI's networks for 512 pixels embed the timestep with 256 sinusoids and have a first level of 128 channels; in
diffusers the sinusoids are as many as the first level has channels. But a network is only ever asked about the
timesteps of its schedule, and the sinusoids at 1000 timesteps are far from independent: most of their frequencies
are so low that few columns span them all. With E = T V^T, T narrow, the first linear layer W E^T is (W V) T^T: T
becomes the table, W V the layer.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import ConfigurationError

_MAX_PERIOD = 10_000
_TOLERANCE = 1e-6
"""Largest error of an embedded value; float32 itself rounds the sinusoids' arguments worse than that."""


def sinusoids(timesteps: int, width: int) -> Float[Tensor, "t n"]:
    """The embedding of every timestep in float64: cosines first, then sines, frequencies from 1 down to 1e-4.

    Source: Vaswani et al. 2017 (arXiv 1706.03762), in the order of OpenAI's diffusion models.
    """
    half = width // 2
    frequencies = torch.exp(torch.arange(half, dtype=torch.float64) * (-math.log(_MAX_PERIOD) / half))
    arguments = torch.arange(timesteps, dtype=torch.float64)[:, None] * frequencies
    return torch.cat([arguments.cos(), arguments.sin()], dim=1)


def narrow_table(
    embedding: Float[Tensor, "t n"], width: int
) -> tuple[Float[Tensor, "t m"], Float[Tensor, "n m"]]:
    """Table T and basis V of `width` columns with `embedding` = T V^T.

    Raises:
        ConfigurationError: so few columns do not span the embedding.
    """
    left, scale, right = torch.linalg.svd(embedding, full_matrices=False)
    kept = min(width, len(scale))
    table = embedding.new_zeros(len(embedding), width)
    basis = embedding.new_zeros(embedding.shape[1], width)
    table[:, :kept], basis[:, :kept] = left[:, :kept] * scale[:kept], right[:kept].T
    error = float((table @ basis.T - embedding).abs().max())
    if error > _TOLERANCE:
        raise ConfigurationError(
            f"the time embedding of {embedding.shape[1]} sinusoids must fit into the {width} channels of the first "
            f"level within {_TOLERANCE}, it leaves {error:.1e}; diffusers cannot hold a network of this layout"
        )
    return table, basis

"""The value below which a scanner, or whoever prepared the data, cut everything off."""

import torch
from jaxtyping import Float
from torch import Tensor

PLATEAU = 0.01
"""Fraction of all samples that must lie at the floor: air around a patient is far more, chance far less."""

_RESOLUTION = 1e-4  # of the range of values: what counts as the same value without noise
_REACH = 16  # widths above the lowest sample that are searched for the floor
_SAMPLES = 1 << 20
_FEWEST = 64  # so few samples within a width are no plateau, however small the volume


def saturation_floor(y: Float[Tensor, "*shape"], sigma: float = 0.0) -> float | None:
    """The level at which the lowest samples pile up, or None where they do not.

    Nothing in the degraded volume lies below it but noise, so nothing in the volume that is looked for does:
    for a clipped volume this constraint alone is worth more than half a decibel.

    Args:
        y: measured volume.
        sigma: standard deviation of its white noise, same unit.
    """
    values = y.flatten()
    values = values[:: max(values.numel() // _SAMPLES, 1)].double()
    lowest, width = float(values.min()), max(sigma, _RESOLUTION * float(values.max() - values.min()))
    if width == 0:
        return lowest
    near = values[values < lowest + _REACH * width]
    # mass within one width of each candidate, in steps of a quarter of a width
    counts = torch.histc(near, 4 * _REACH, lowest, lowest + _REACH * width)
    mass = torch.nn.functional.avg_pool1d(counts[None], 9, 1, 4, count_include_pad=False)[0] * 9
    enough = mass >= max(PLATEAU * len(values), _FEWEST)
    peaks = (enough & (mass >= mass.roll(1)) & (mass >= mass.roll(-1))).nonzero()
    if len(peaks) == 0:
        return None
    level = lowest + (int(peaks[0]) + 0.5) * width / 4
    if level < lowest + 1.5 * width:
        return lowest  # cut off after the noise came in, or no noise at all
    below = (level - near[near < level]).square().mean().sqrt()
    return level if below < 1.5 * sigma else None

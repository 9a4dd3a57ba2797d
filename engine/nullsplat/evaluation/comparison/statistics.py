"""Means over volumes, and how far they can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.seeds import numpy_generator

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over volumes.

    Attributes:
        mean: arithmetic mean.
        volumes: how many values it is of.
        interval: 95 % bootstrap interval of the mean; None for one volume, of which nothing can be said.
    """

    mean: float
    volumes: int
    interval: tuple[float, float] | None


def estimate(values: Sequence[float], seed: int = 0) -> Estimate:
    """Mean and percentile-bootstrap interval over volumes.

    With few volumes such an interval is too narrow; it says how much they differ, not how any other would do.

    Args:
        values: one per volume.
        seed: of the resampling.
    Raises:
        ConfigurationError: no value.
    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    if not values:
        raise ConfigurationError("a mean needs at least one value, got none")
    data = np.asarray(values, np.float64)
    if len(data) == 1:
        return Estimate(float(data[0]), 1, None)
    generator = numpy_generator(seed, "evaluation", "bootstrap")
    chosen = generator.integers(len(data), size=(RESAMPLES, len(data)))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(data[chosen].mean(axis=1), [tail, 100 - tail])
    return Estimate(float(data.mean()), len(data), (float(low), float(high)))


def paired_difference(
    values: dict[str, float], reference: dict[str, float], seed: int = 0
) -> Estimate | None:
    """Mean difference to a reference over the volumes that both have; None where there is none.

    Args:
        values: by volume.
        reference: by volume.
        seed: of the resampling.
    """
    both = [name for name in values if name in reference]
    return estimate([values[name] - reference[name] for name in both], seed) if both else None

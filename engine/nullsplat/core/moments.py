"""Mean and standard deviation of samples that come one at a time."""

import torch
from jaxtyping import Float
from torch import Tensor


class Moments:
    """Welford's running mean and scatter: a difference of two large sums would drown small deviations in rounding."""

    def __init__(self) -> None:
        """Start without samples."""
        self._count = 0
        self._mean = torch.zeros(())
        self._scatter = torch.zeros(())

    def add(self, sample: Float[Tensor, "*shape"]) -> None:
        """Take another sample, of the same shape as those before."""
        self._count += 1
        if self._count == 1:
            self._mean, self._scatter = sample.clone(), torch.zeros_like(sample)
            return
        error = sample - self._mean
        self._mean += error / self._count
        self._scatter += error * (sample - self._mean)

    @property
    def mean(self) -> Float[Tensor, "*shape"]:
        """Mean of the samples."""
        return self._mean

    @property
    def deviation(self) -> Float[Tensor, "*shape"]:
        """Their standard deviation; zero for a single one."""
        return (self._scatter / max(self._count - 1, 1)).sqrt()

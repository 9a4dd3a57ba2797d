"""Which views a fit learns from, and in what order."""

import numpy as np
import torch
from torch import Tensor


def held_out(views: int, every: int) -> tuple[list[int], list[int]]:
    """Views to learn from and views to judge by: every `every`-th, from the middle of its group; none for 0."""
    judging = list(range(every // 2, views, every)) if every > 0 else []
    return [view for view in range(views) if view not in set(judging)], judging


class ViewOrder:
    """Every view once before any comes again, in a new random order each time."""

    def __init__(self, views: list[int], at_once: int, generator: np.random.Generator) -> None:
        """Draw from `views`, `at_once` at a time."""
        self._views, self._at_once, self._generator = views, min(at_once, len(views)), generator
        self._waiting: list[int] = []

    def next(self) -> Tensor:
        """Indices of the next views."""
        while len(self._waiting) < self._at_once:
            self._waiting += self._generator.permutation(self._views).tolist()
        chosen, self._waiting = self._waiting[: self._at_once], self._waiting[self._at_once :]
        return torch.tensor(chosen)

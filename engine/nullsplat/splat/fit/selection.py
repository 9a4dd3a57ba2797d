"""When to stop: before the field starts to explain what only single views show."""

import torch

from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.fit.problem import ResidualProblem


class BestField:
    """Keeps the field that explained unseen views best.

    Projections from a generative prior disagree between views. What they share is signal and comes early in a
    fit; the rest is explained later, view by view, and makes unseen views worse. Without unseen views the last
    field is kept and nothing is stopped.
    """

    def __init__(self, problem: ResidualProblem, unseen: list[int], patience: int) -> None:
        """Judge by the `unseen` views and give up after `patience` judgements without progress."""
        self._problem, self._unseen, self._patience = problem, unseen, patience
        self._best: SignedGaussians | None = None
        self._least = float("inf")
        self._failures = 0

    def consider(self, field: SignedGaussians) -> bool:
        """Judge a field, which must not change afterwards; True when it is time to stop."""
        error = self._error(field)
        if error < self._least or not self._unseen:
            self._best, self._least, self._failures = field, error, 0
        else:
            self._failures += 1
        return self._failures >= self._patience

    @property
    def field(self) -> SignedGaussians:
        """The best of all fields considered so far.

        Raises:
            LookupError: none was considered.
        """
        if self._best is None:
            raise LookupError("no field has been considered yet; call consider first")
        return self._best

    @torch.no_grad()
    def _error(self, field: SignedGaussians) -> float:
        """Mean square of the volume error that the unseen views reveal."""
        total = 0.0
        for view in self._unseen:
            total += (
                float(self._problem.volume_error(field, torch.tensor([view], device=field.means.device))) ** 2
            )
        return total

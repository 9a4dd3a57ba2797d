"""What is timed against each other must first give the same answer."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import NullSplatError


def check_agreement(
    what: str, ours: Float[ndarray, "*shape"], theirs: Float[ndarray, "*shape"], tolerance: float
) -> None:
    """Refuse to compare the times of different answers.

    Args:
        what: named in the error.
        ours: one answer.
        theirs: the other.
        tolerance: largest difference relative to the largest value.
    Raises:
        NullSplatError: they differ.
    """
    largest = float(np.abs(theirs).max())
    difference = float(np.abs(ours - theirs).max())
    if not difference <= tolerance * largest:
        raise NullSplatError(
            f"{what}: both ways must agree within {tolerance:g} of {largest:.4g}, they differ by {difference:.4g}; "
            "nothing was timed, run the tests of that part"
        )

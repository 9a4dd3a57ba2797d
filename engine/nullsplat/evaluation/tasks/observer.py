"""Observers that look for a lesion whose place and size they know: one by its contrast, one by channels.

Source: Laguerre-Gauss channels and the Hotelling observer as in Barrett and Myers, Foundations of Image Science (2004),
chapters 13 and 14; here in three dimensions.
"""

import math

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.polynomial.laguerre import lagval

from nullsplat.core.volume import Axes3
from nullsplat.evaluation.tasks.lesions import REACH_MM, ball, half_width

CHANNELS = 5
_GAP_MM, _SHELL_MM = 1.5, 3.0


def contrast_hu(patch: Float[ndarray, "z y x"], diameter_mm: float, spacing: Axes3) -> float:
    """Mean within a ball minus mean within a shell around it, in HU.

    Args:
        patch: about the place, see `lesions.window`.
        diameter_mm: of the ball.
        spacing: of the voxels, mm.
    """
    share, around = ball(diameter_mm, spacing), _shell(diameter_mm, spacing)
    return float((patch * share).sum() / share.sum() - (patch * around).sum() / around.sum())


def channel_responses(
    patch: Float[ndarray, "z y x"], diameter_mm: float, spacing: Axes3
) -> Float[ndarray, " c"]:
    """What Laguerre-Gauss channels as wide as the ball see of a patch, less the mean of its surroundings."""
    around = _shell(diameter_mm, spacing)
    level = float((patch * around).sum() / around.sum())
    responses: ndarray = np.tensordot(laguerre_gauss(diameter_mm, spacing), patch - level, axes=3)
    return responses


def laguerre_gauss(diameter_mm: float, spacing: Axes3) -> Float[ndarray, "c z y x"]:
    """The channels, each of unit length."""
    radius = _radius(spacing)
    scaled = 2 * math.pi * np.square(radius / (1.5 * diameter_mm))
    made = np.stack([np.exp(-scaled / 2) * lagval(scaled, np.eye(CHANNELS)[j]) for j in range(CHANNELS)])
    lengths = np.sqrt(np.square(made).sum((1, 2, 3), keepdims=True))
    unit: ndarray = made / lengths
    return unit


def area_under_curve(present: Float[ndarray, " p"], absent: Float[ndarray, " a"]) -> float:
    """How often a present lesion gets more than an absent one, ties half: the area under the ROC curve."""
    steps = np.sign(np.subtract.outer(present, absent))
    return float((steps.mean() + 1) / 2)


def detectability(present: Float[ndarray, " p"], absent: Float[ndarray, " a"]) -> float:
    """d': distance of the means in standard deviations of what is without a lesion.

    What is with one scatters more where lesions of several contrasts are put together; an observer who knows which one he
    looks for is not disturbed by that.
    """
    deviation = float(np.std(absent, ddof=1))
    return float(np.mean(present) - np.mean(absent)) / deviation if deviation > 0 else math.nan


def hotelling(
    present: Float[ndarray, "n c"], absent: Float[ndarray, "n c"]
) -> tuple[Float[ndarray, " n"], Float[ndarray, " n"]]:
    """What the Hotelling observer says of each pair, having learned from all the others.

    Args:
        present: channel responses where lesions are.
        absent: those at the same places without them; row by row one pair.
    """
    keep = ~np.eye(len(present), dtype=bool)
    said = [
        _Template(present[others], absent[others]).score(np.stack([p, a]))
        for p, a, others in zip(present, absent, keep, strict=True)
    ]
    pairs = np.array(said).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


class _Template:
    """S^-1 (m1 - m0) with S of what is without a lesion; scaled so that this has a deviation of 1 where it was learned."""

    def __init__(self, present: Float[ndarray, "n c"], absent: Float[ndarray, "n c"]) -> None:
        shared = np.cov(absent.T)
        difference = present.mean(0) - absent.mean(0)
        weights = np.linalg.pinv(shared) @ difference
        length = math.sqrt(max(float(weights @ shared @ weights), 1e-30))
        self._weights, self._middle = weights / length, (present.mean(0) + absent.mean(0)) / 2

    def score(self, responses: Float[ndarray, "m c"]) -> Float[ndarray, " m"]:
        """Above 0 the lesion is more likely than not."""
        scores: ndarray = (responses - self._middle) @ self._weights
        return scores


def _shell(diameter_mm: float, spacing: Axes3) -> Float[ndarray, "z y x"]:
    inner, outer = diameter_mm + 2 * _GAP_MM, diameter_mm + 2 * (_GAP_MM + _SHELL_MM)
    shell: ndarray = ball(min(outer, 2 * REACH_MM), spacing) - ball(inner, spacing)
    return shell


def _radius(spacing: Axes3) -> Float[ndarray, "z y x"]:
    along = [np.arange(-half_width(mm), half_width(mm) + 1) * mm for mm in spacing]
    z, y, x = np.meshgrid(*along, indexing="ij")
    radius: ndarray = np.sqrt(z**2 + y**2 + x**2)
    return radius

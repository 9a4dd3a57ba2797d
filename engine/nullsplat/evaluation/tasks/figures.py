"""What is found of one round in the results of one method."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.evaluation.tasks.lesions import Lesion, ball, window
from nullsplat.evaluation.tasks.observer import channel_responses, contrast_hu
from nullsplat.evaluation.tasks.rounds import Round
from nullsplat.evaluation.tasks.segmentation import dice, lungs, vessels
from nullsplat.evaluation.tasks.transfer import Transfer, noise_of

Pair = tuple[Float[ndarray, "z y x"], Float[ndarray, "z y x"]]
"""Results of both series of a round, in HU."""

NOISE_MM = 5.0
"""From a place, within which it is quiet for sure."""

AXES = {"through": 0, "within": 2}
"""Through slices, and within them."""


@dataclass(frozen=True)
class Trial:
    """One place, seen with its lesion and without.

    Attributes:
        ground: see `Lesion`.
        diameter_mm: of the lesion.
        contrast_hu: of the lesion.
        present_hu: contrast of the place in the result with the lesion, in the lesion's direction.
        absent_hu: the same without it.
        true_present_hu: the same of the truth.
        true_absent_hu: the same of the truth without it.
        present: what channels see with the lesion.
        absent: what they see without it.
    """

    ground: str
    diameter_mm: float
    contrast_hu: float
    present_hu: float
    absent_hu: float
    true_present_hu: float
    true_absent_hu: float
    present: list[float]
    absent: list[float]

    @property
    def shown(self) -> bool:
        """Whether the result has half of the lesion's contrast, or more, at a place that has it."""
        return self.present_hu - self.true_absent_hu >= self._half

    @property
    def invented(self) -> bool:
        """Whether it has so much at the place without it."""
        return self.absent_hu - self.true_absent_hu >= self._half

    @property
    def _half(self) -> float:
        return (self.true_present_hu - self.true_absent_hu) / 2


def figures_of(made: Round, results: Pair) -> dict[str, Any]:
    """Trials, transfer functions, noise and segmentations, ready for JSON.

    Args:
        made: the round.
        results: of a method, for the first series and for the second.
    """
    truths: Pair = (made.series[0].truth.hu, made.series[1].truth.hu)
    trials = [
        _trial(one, made, _ordered(results, i), _ordered(truths, i)) for i, one in enumerate(made.lesions)
    ]
    return {
        "trials": [asdict(trial) for trial in trials],
        "transfer": {name: _transfer(made, results, axis) for name, axis in AXES.items()},
        "noise": _noise(made, results),
        "dice": _dice(made, results[0]),
    }


def _ordered(pair: Pair, number: int) -> Pair:
    """With the lesion of this number first, without it second."""
    return pair if number % 2 == 0 else (pair[1], pair[0])


def _trial(lesion: Lesion, made: Round, results: Pair, truths: Pair) -> Trial:
    sign = np.sign(lesion.contrast_hu)
    seen = window(lesion.place, made.spacing)
    patches = [sign * hu[seen].astype(np.float64) for hu in (*results, *truths)]
    contrasts = [contrast_hu(patch, lesion.diameter_mm, made.spacing) for patch in patches]
    channels = [channel_responses(patch, lesion.diameter_mm, made.spacing).tolist() for patch in patches[:2]]
    return Trial(
        ground=lesion.ground,
        diameter_mm=lesion.diameter_mm,
        contrast_hu=lesion.contrast_hu,
        present_hu=contrasts[0],
        absent_hu=contrasts[1],
        true_present_hu=contrasts[2],
        true_absent_hu=contrasts[3],
        present=channels[0],
        absent=channels[1],
    )


def _transfer(made: Round, results: Pair, axis: int) -> dict[str, list[float]]:
    gathered = Transfer()
    for i, lesion in enumerate(made.lesions):
        there, gone = _ordered(results, i)
        seen = window(lesion.place, made.spacing)
        put = lesion.contrast_hu * ball(lesion.diameter_mm, made.spacing)
        response = (there[seen] - gone[seen]).astype(np.float64)
        gathered += Transfer.of(response, put, axis, made.spacing[axis])
    return {"product": gathered.product.tolist(), "power": gathered.power.tolist()}


def _noise(made: Round, results: Pair) -> dict[str, dict[str, float]]:
    """At places without a lesion, ground by ground."""
    patches: dict[str, list[Float[ndarray, "z y x"]]] = {}
    for i, lesion in enumerate(made.lesions):
        gone = _ordered(results, i)[1]
        patches.setdefault(lesion.ground, []).append(gone[window(lesion.place, made.spacing, NOISE_MM)])
    return {ground: asdict(noise_of(there, made.spacing)) for ground, there in patches.items()}


def _dice(made: Round, result: Float[ndarray, "z y x"]) -> dict[str, float | None]:
    truth = made.series[0].truth.hu
    true_lung, lung = (lungs(hu, made.spacing) for hu in (truth, result))
    true_vessels, found = (
        vessels(hu, there, made.spacing) for hu, there in ((truth, true_lung), (result, lung))
    )
    return {"lungs": dice(lung, true_lung), "vessels": dice(found, true_vessels)}

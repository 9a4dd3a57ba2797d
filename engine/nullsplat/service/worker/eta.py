"""Overall progress of a job, and an estimate of the time left."""

from collections.abc import Mapping, Sequence
from typing import Any

from nullsplat.service.contract.messages import STAGES

FIRST_GUESS = {"fetch": 2.0, "stage1": 35.0, "stage2": 50.0, "consistency": 5.0, "derive": 3.0, "store": 5.0}
"""Share of the time that each stage takes, in per cent, until finished jobs supply figures."""

FIRST_ESTIMATE_AT = 0.02
"""Before this part of the work is done, an estimate of the rest is noise."""


def learn_weights(finished: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, float]:
    """Mean share of the time that each stage took in jobs that are done; sums to 1."""
    shares = dict.fromkeys(STAGES, 0.0)
    for stages in finished:
        total = sum(stage.get("seconds", 0.0) for stage in stages)
        for stage in stages:
            shares[stage["name"]] += stage.get("seconds", 0.0) / total if total > 0 else 0.0
    if sum(shares.values()) <= 0:
        shares = dict(FIRST_GUESS)
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def overall(stages: Sequence[Mapping[str, Any]], weights: Mapping[str, float]) -> float:
    """Progress of the whole job in [0, 1]."""
    return min(1.0, sum(weights[stage["name"]] * float(stage["progress"]) for stage in stages))


def remaining(stages: Sequence[Mapping[str, Any]], weights: Mapping[str, float]) -> float | None:
    """Estimated seconds until the job is done, or None while there is too little to go by.

    The pace is that of the work done so far, measured in the stages' weights.
    """
    done = overall(stages, weights)
    if done < FIRST_ESTIMATE_AT:
        return None
    elapsed = sum(float(stage.get("seconds", 0.0)) for stage in stages)
    return elapsed / done * (1.0 - done)

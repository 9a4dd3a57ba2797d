"""Tries numbers of workers on one trace until the limits are kept."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from nullsplat.planning.outcome import Outcome, outcome_of, soonest
from nullsplat.planning.simulation import simulate
from nullsplat.planning.site import Site
from nullsplat.planning.trace import Trace

SPARE = 24
"""How many workers beyond those that the load alone asks for are tried."""


@dataclass(frozen=True)
class Plan:
    """The answer.

    Attributes:
        load: workers that would be busy all the time.
        outcomes: of each number that was tried, in rising order.
        enough: the smallest tried number that keeps all limits; None if none does.
        hopeless: streams that even without any wait are in time too seldom, with the share that is.
    """

    load: float
    outcomes: tuple[Outcome, ...]
    enough: int | None
    hopeless: dict[str, float]


def plan(trace: Trace, site: Site, share: float, seed: int, numbers: tuple[int, ...] = ()) -> Plan:
    """Try the numbers of workers, or, without any, from the load upwards until one more than is enough.

    Args:
        share: of the results of each stream with a limit that must be in time.
    """
    hopeless = {name: found for name, found in soonest(trace, site).items() if found < share}
    tried = numbers or _upwards(trace, once=bool(hopeless))
    outcomes: list[Outcome] = []
    for workers in tried:
        outcomes.append(outcome_of(simulate(trace, site, workers, seed), trace, site, workers))
        if not numbers and len(outcomes) > 1 and outcomes[-2].meets(share):
            break
    enough = [outcome.workers for outcome in outcomes if outcome.meets(share)]
    return Plan(trace.load, tuple(outcomes), min(enough, default=None), hopeless)


def _upwards(trace: Trace, *, once: bool) -> Iterator[int]:
    least = math.floor(trace.load) + 1
    yield from range(least, least + (1 if once else SPARE))

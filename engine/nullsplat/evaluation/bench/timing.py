"""Wall times of several ways to do the same work, taken in turn."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

Clock = Callable[[], float]
"""Seconds from any fixed moment."""

WARM_UPS = 2
"""Calls before the clock counts: the first one compiles, the second one finds the caches as all later ones do."""


@dataclass(frozen=True)
class Timing:
    """Wall times of the same work.

    Attributes:
        seconds: one per repeat, in the order in which they were taken.
    """

    seconds: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """Median in milliseconds: a pause that hits few repeats does not move it."""
        return 1e3 * statistics.median(self.seconds)

    @property
    def fastest_ms(self) -> float:
        """Fastest repeat in milliseconds."""
        return 1e3 * min(self.seconds)


def nothing_to_wait_for() -> None:
    """What a processor needs before the clock is read if it works while one waits, as the CPU does."""


def wait_for(device: torch.device) -> Callable[[], None]:
    """What must be called before the clock is read, so that work given to the device is really done."""
    return torch.cuda.synchronize if device.type == "cuda" else nothing_to_wait_for


def time_in_turn(
    runs: Mapping[str, Callable[[], Any]],
    repeats: int,
    clock: Clock = time.perf_counter,
    settle: Callable[[], None] = nothing_to_wait_for,
) -> dict[str, Timing]:
    """Time several ways in turn, so that whatever else the machine does meets all of them alike.

    Args:
        runs: the work, by name.
        repeats: how often each is timed after it has been warmed up.
        clock: what is read before and after.
        settle: called before each reading, see `wait_for`.
    """
    for run in runs.values():
        for _ in range(WARM_UPS):
            run()
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            taken[name].append(_seconds(run, clock, settle))
    return {name: Timing(tuple(seconds)) for name, seconds in taken.items()}


def _seconds(run: Callable[[], Any], clock: Clock, settle: Callable[[], None]) -> float:
    settle()
    start = clock()
    run()
    settle()
    return clock() - start

"""What all tests together, and one test, may cost. In a form that does not depend on the machine or on what else it does.

Processor seconds are divided by what a fixed piece of work takes here, in units of the machine that the budget was made
on. Seconds of the clock count only where nobody else used the machine; a slower machine is given more of them, but a faster one
no fewer, as most are spent waiting.
"""

import json
import os
import resource
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WHOLE_MINUTES = 22.5
"""By the clock, on two cores that nobody else uses. Measured with bfloat16 hardware: 9.3; in fresh clones, with style and documentation, 10.1 to 15.0,
as the host has other guests that cannot be seen from inside."""
WHOLE_WORK = 3000.0
"""Processor seconds of all tests together. Measured with bfloat16 hardware: 875; 1020 to 2000 in fresh clones, for the same reason and with or without
a layer of an image kept; networks, a tenth of it, take up to five times as long without."""
ONE_WORK = 60.0
ONE_SECONDS = 60.0
"""Of one test with the set-up that it pays for; a test marked `slow` may take more, and the whole holds for it too."""
REFERENCE = 0.033
"""Seconds of `_piece_of_work` on the machine of the budget."""
QUIET = 0.1
"""Largest share of the processors that others may use where the clock counts."""


@dataclass(frozen=True)
class Measured:
    """`speed`: of this machine, in units of the budget's; `others`: share of its processors that others used."""

    seconds: float
    speed: float
    others: float

    @property
    def pace(self) -> float:
        """What seconds of the clock count for."""
        return min(1.0, self.speed)


class Load:
    """Watches from now on who uses the processors."""

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.monotonic(), _busy_seconds(), _own_seconds()
        self._speed = REFERENCE / min(_piece_of_work() for _ in range(5))

    def measured(self) -> Measured:
        seconds = time.monotonic() - self._began
        others = _busy_seconds() - self._busy - (_own_seconds() - self._own)
        return Measured(seconds, self._speed, max(0.0, others) / (seconds * (os.cpu_count() or 1)))


def judge(folder: Path, measured: Measured) -> Iterator[str]:
    """What is over the budget, in words; nothing when all is well."""
    costs = [
        json.loads(line)
        for path in sorted(folder.glob("*.costs.jsonl"))
        for line in path.read_text().splitlines()
    ]
    quiet = measured.others <= QUIET
    yield from _single(costs, measured, quiet)
    work = measured.speed * sum(cost["cpu"] for cost in costs)
    if work > WHOLE_WORK:
        yield f"all tests together may take {WHOLE_WORK:.0f} s of processor, but took {work:.0f}; make the dearest cheaper"
    if quiet and measured.seconds * measured.pace > 60 * WHOLE_MINUTES:
        yield f"all lanes must end within {WHOLE_MINUTES:.0f} minutes, but took {measured.seconds / 60:.1f}"


def _single(costs: Iterable[dict[str, Any]], measured: Measured, quiet: bool) -> Iterator[str]:
    for cost in costs:
        work = measured.speed * cost["cpu"]
        seconds = measured.pace * cost["seconds"] if quiet else 0.0
        if not cost["slow"] and (work > ONE_WORK or seconds > ONE_SECONDS):
            yield (
                f"{cost['test']} may take {ONE_SECONDS:.0f} s, {ONE_WORK:.0f} s of processor, but took "
                f"{cost['seconds']:.0f} s, {cost['cpu']:.0f} s; make it quicker, or mark it slow and say why"
            )


def _piece_of_work() -> float:
    """Processor seconds of a fixed piece of work in Python, like most of what tests do."""
    began = time.process_time()
    table: dict[int, str] = {}
    for number in range(200_000):
        table[number * 7919 % 10007] = str(number)
    return time.process_time() - began


def _busy_seconds() -> float:
    """Processor seconds of the whole machine since its start, without waiting for disks."""
    user, nice, system, _idle, _disks, interrupts, soft, steal = map(
        int, Path("/proc/stat").read_text().split()[1:9]
    )
    return float(user + nice + system + interrupts + soft + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Of this process and of all lanes that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)

"""What is sent and what goes wrong, when: all of it follows from one seed."""

import random
from dataclasses import dataclass, field
from pathlib import Path

SECONDS_PER_SERIES = 10.0
"""Length of the time in which series are sent and faults happen, for each series."""
SECONDS_PER_FAULT = 10.0
LEAST_FAULTS = 8
FAULT_SHARE = 0.45
"""Largest part of the run with faults in it; the rest is for the node to get over them."""


@dataclass(frozen=True)
class Kind:
    """A sort of series.

    Attributes:
        reason: code that the plugin must give for not doing it; empty when it must be done.
        story: what is sent, for the report.
    """

    name: str
    story: str
    reason: str = ""


KINDS = {
    kind.name: kind
    for kind in (
        Kind("good", "low-dose CT"),
        Kind("duplicate", "low-dose CT, all of it sent twice"),
        Kind("late", "low-dose CT whose last slices come when it seemed complete"),
        Kind("tilt", "low-dose CT with a tilted gantry, which is set straight"),
        Kind("foreign", "low-dose CT of a Japanese patient (ISO 2022 IR 13 and 87)"),
        Kind("reformat", "thick reformat, which a rule takes"),
        Kind("lean", "CT whose slices lean more than a gantry tilts", "gantry-tilt"),
        Kind("mixed", "CT of two acquisitions whose slices alternate", "mixed-acquisition"),
        Kind("gap", "CT without one of its slices", "missing-slice"),
        Kind("localizer", "CT localizer", "localizer"),
        Kind("mr", "MR", "not-ct"),
        Kind("projection", "maximum intensity projections of CT", "derived"),
        Kind("dose", "CT of normal dose, which no rule takes", "no-rule"),
        Kind("truncated", "CT with half of the pixels of one slice", "unreadable-file"),
        Kind("corrupt", "CT with one slice that has no position", "incomplete-header"),
    )
}
GOOD = tuple(name for name, kind in KINDS.items() if not kind.reason)
BAD = tuple(name for name, kind in KINDS.items() if kind.reason)


@dataclass(frozen=True)
class Options:
    """A run.

    Attributes:
        series: how many are sent.
        minutes: after which the run ends, whatever has become of the series.
        seed: of everything that is random.
        processing: `fast` repeats slices, `real` is the engine's own `preview`.
        folder: everything that the run leaves behind; emptied at the start.
    """

    series: int = 60
    minutes: float = 30.0
    seed: int = 1
    processing: str = "fast"
    folder: Path = Path("build/soak")

    @property
    def window(self) -> float:
        """Seconds in which series are sent and faults happen."""
        return min(SECONDS_PER_SERIES * self.series, FAULT_SHARE * 60 * self.minutes)


@dataclass(frozen=True)
class Case:
    """One series: its name, sort, the seed of its UIDs and pixels, and when it is sent, in seconds from the start."""

    name: str
    kind: str
    seed: int
    at: float
    again_at: float = 0.0


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong at a time, for so many seconds."""

    kind: str
    at: float
    lasts: float


@dataclass(frozen=True)
class Plan:
    """Everything that a run does."""

    cases: list[Case] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def plan(options: Options) -> Plan:
    """The plan of a run."""
    rng = random.Random(options.seed)
    return Plan(_cases(options, rng), _faults(options, rng))


def kinds_of(series: int, rng: random.Random) -> list[str]:
    """Half of the series are good in some way; of either half each sort is there as often as the others."""
    halves = (series - series // 2, series // 2)
    chosen: list[str] = []
    for names, count in zip((GOOD, BAD), halves, strict=True):
        deck = [*names, "good"] if names is GOOD else rng.sample(names, len(names))
        chosen += [deck[index % len(deck)] for index in range(count)]
    rng.shuffle(chosen)
    return chosen


def _cases(options: Options, rng: random.Random) -> list[Case]:
    kinds = kinds_of(options.series, rng)
    times = sorted(rng.uniform(0, 0.8 * options.window) for _ in kinds)
    cases = []
    for number, (kind, at) in enumerate(zip(kinds, times, strict=True), start=1):
        again_at = at + rng.uniform(6, 15) if kind in ("late", "duplicate") else 0.0
        cases.append(Case(f"{number:03d}-{kind}", kind, 1000 * options.seed + number, at, again_at))
    return cases


FAULTS = ("worker", "api", "orthanc", "pacs", "web", "keeper", "worker", "orthanc")
ONCE = ("spool-full", "archive-full")
LONGEST = {"pacs": 20.0, "web": 20.0, "keeper": 20.0, "spool-full": 10.0, "archive-full": 8.0}


def _faults(options: Options, rng: random.Random) -> list[Fault]:
    count = max(LEAST_FAULTS, round(options.window / SECONDS_PER_FAULT))
    usual = [FAULTS[index % len(FAULTS)] for index in range(count - len(ONCE))]
    rng.shuffle(usual)
    kinds = list(usual)
    for once in ONCE:
        kinds.insert(rng.randint(len(usual) // 3, len(usual)), once)
    gap = options.window / len(kinds)
    return [
        Fault(kind, (index + rng.uniform(0.1, 0.6)) * gap, rng.uniform(1.0, min(gap, LONGEST.get(kind, 5.0))))
        for index, kind in enumerate(kinds)
    ]

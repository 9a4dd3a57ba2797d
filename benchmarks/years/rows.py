"""A row of the table: what was asked, how long it took, and what is allowed."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from nullsplat.evaluation.machine import processor_model

ALLOWED = 0.050
"""Seconds of processor time a call may take: those of a clock also count what else the machine does."""
REPEATS = 7


@dataclass(frozen=True)
class Row:
    """What was asked, and what the first call and the median one took, in seconds by the clock and of processor time."""

    name: str
    first: float
    usual: float
    first_cpu: float
    usual_cpu: float


def timed(name: str, action: Callable[[], object], repeats: int = REPEATS, calls: int = 1) -> Row:
    """Call `action`, which makes `calls` calls, `repeats` times."""
    times = []
    for _ in range(repeats):
        begun, used = time.perf_counter(), time.process_time()
        action()
        times.append(((time.perf_counter() - begun) / calls, (time.process_time() - used) / calls))
    clock, cpu = zip(*times, strict=True)
    return Row(name, clock[0], median(clock), cpu[0], median(cpu))


def table(shape: str, rows: list[Row]) -> str:
    """The rows as Markdown, with machine, commit and shape."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - the user's git
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    load = os.getloadavg()[0]
    lines = [
        f"{processor_model()}, {os.cpu_count()} cores, load {load:.1f}; commit {commit}; {shape}.",
        "",
        "| call | first, ms | median, ms | first, ms of CPU | median, ms of CPU | below 50 ms of CPU |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        verdict = (
            "yes"
            if max(row.first_cpu, row.usual_cpu) < ALLOWED
            else "median"
            if row.usual_cpu < ALLOWED
            else "no"
        )
        figures = (row.first, row.usual, row.first_cpu, row.usual_cpu)
        lines.append(
            f"| {row.name} | {' | '.join(f'{1e3 * seconds:.1f}' for seconds in figures)} | {verdict} |"
        )
    return "\n".join(lines) + "\n"

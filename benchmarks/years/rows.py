"""A row of the table: what was asked, how long it took, and what is allowed."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from nullsplat.evaluation.machine import processor_model

ALLOWED = 0.050
REPEATS = 7


def timed(name: str, action: Callable[[], object]) -> tuple[str, float, float]:
    """Name, first and median time in seconds."""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return name, times[0], median(times)


def table(shape: str, rows: list[tuple[str, float, float]]) -> str:
    """The rows as Markdown, with machine, commit and shape."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - the user's git
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    load = os.getloadavg()[0]
    lines = [
        f"{processor_model()}, {os.cpu_count()} cores, load {load:.1f}; commit {commit}; {shape}.",
        "",
        "| call | first, ms | median, ms | below 50 ms |",
        "|---|---:|---:|---|",
    ]
    for name, first, usual in rows:
        verdict = "yes" if max(first, usual) < ALLOWED else "median" if usual < ALLOWED else "no"
        lines.append(f"| {name} | {1e3 * first:.1f} | {1e3 * usual:.1f} | {verdict} |")
    return "\n".join(lines) + "\n"

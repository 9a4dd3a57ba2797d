"""A benchmark's result as a table and as files."""

import json
from collections.abc import Sequence
from pathlib import Path

from nullsplat.core.files import write_text
from nullsplat.evaluation.bench.rows import Row, describe_shapes
from nullsplat.evaluation.bench.suites import Result

_COLUMNS = ("kernel", "ours, ms", "reference", "reference, ms", "reference / ours", "shapes", "note")
_TO_THE_RIGHT = (1, 3, 4)

_MISSING = "not installed"


def table(rows: Sequence[Row]) -> str:
    """A Markdown table whose columns are also straight on a terminal."""
    cells = [_COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_COLUMNS))]
    rule = [f"{'-' * (w - 1)}{':' if i in _TO_THE_RIGHT else '-'}" for i, w in enumerate(widths)]
    lines = [_line(cells[0], widths), _line(rule, widths), *(_line(line, widths) for line in cells[1:])]
    return "\n".join(lines)


def heading(result: Result) -> str:
    """What the table holds for, in two lines."""
    machine = result.machine
    commit = f" at {machine.commit}" if machine.commit else ""
    threads = " and ".join(f"{count} of {name}" for name, count in machine.threads.items())
    load = "" if machine.load_average is None else f", load average {machine.load_average:g} before the run"
    load += " (the machine was busy: trust no time, and ratios little)" if machine.was_busy else ""
    versions = ", ".join(f"{name} {version or _MISSING}" for name, version in machine.packages.items())
    return (
        f"{machine.name}; threads: {threads}{load}. Size {result.size}, NullSplat {machine.nullsplat}{commit}.\n"
        f"Python {machine.python}, {versions}."
    )


def markdown(result: Result) -> str:
    """The whole result as a page."""
    return (
        f"# Benchmark, {result.started:%Y-%m-%d}\n\n{heading(result)}\n\n"
        "Times are medians. `reference / ours` above 1: ours is faster; against the memory bandwidth it is the share\n"
        f"of it that is used.\n\n{table(result.rows)}\n"
    )


def write_result(result: Result, folder: Path) -> tuple[Path, Path]:
    """Write JSON and Markdown with size, machine and commit in their names, parts too if not all were run.

    Raises:
        StorageError: the folder cannot be written.
    """
    parts = "" if result.is_whole else f"{'+'.join(result.parts)}-"
    stem = f"{result.size}-{parts}{result.machine.file_name}"
    paths = folder / f"{stem}.json", folder / f"{stem}.md"
    write_text(paths[0], json.dumps(result.as_dict(), indent=2) + "\n")
    write_text(paths[1], markdown(result))
    return paths


def _cells(row: Row) -> tuple[str, ...]:
    absent = _MISSING if row.note.startswith(_MISSING) else "not there" if row.reference else "-"
    return (
        row.kernel,
        _number(row.ours.median_ms),
        row.reference or "-",
        absent if row.reference_ms is None else _number(row.reference_ms),
        "-" if row.ratio is None else _number(row.ratio),
        describe_shapes(row.shapes),
        row.note,
    )


def _number(value: float) -> str:
    """Three digits that mean something, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.001 else f"{value:.5f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if i in _TO_THE_RIGHT else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |".rstrip()

"""Tables of an evaluation, as Markdown and as CSV."""

import csv
from collections.abc import Callable, Sequence
from io import StringIO

from nullsplat.evaluation.comparison.case import DONE, Record
from nullsplat.evaluation.comparison.statistics import Estimate
from nullsplat.evaluation.comparison.summary import REGIONS, Row, figures_of, protocol_name

Column = tuple[str, str, str]
"""Heading, name of the figure, format."""

FIGURES: tuple[Column, ...] = (
    ("PSNR dB", "psnr", ".2f"),
    ("SSIM", "ssim", ".4f"),
    *((f"RMSE {region} HU", f"rmse {region}", ".1f") for region in REGIONS),
    ("LR-consistency HU", "lr_consistency", ".2f"),
    ("slice to slice", "slice_consistency", ".2f"),
    ("s", "seconds", ".1f"),
    ("MiB", "peak_memory_mib", ".0f"),
)
DIFFERENCES: tuple[Column, ...] = (
    ("dB over cubic", "psnr - cubic", "+.2f"),
    ("dB over tv", "psnr - tv", "+.2f"),
)
_WITH_INTERVAL = ("psnr", "ssim", "psnr - cubic", "psnr - tv")
_NONE = "–"


def mean_tables(rows: Sequence[Row]) -> str:
    """One Markdown table of means for each degradation, with the failures below it."""
    protocols = dict.fromkeys(row.protocol for row in rows)
    return "\n".join(_mean_table(name, [row for row in rows if row.protocol == name]) for name in protocols)


def volume_tables(records: Sequence[Record]) -> str:
    """One Markdown table for each degradation, with a line for each volume and method."""
    protocols = dict.fromkeys(protocol_name(record) for record in records)
    parts = []
    for name in protocols:
        chosen = [record for record in records if protocol_name(record) == name]
        lines = [_line(["volume", "method", *(heading for heading, _, _ in FIGURES)]), _rule(2, len(FIGURES))]
        lines += [_volume_line(record) for record in chosen]
        parts.append("\n".join([f"### {name}\n", *lines, ""]))
    return "\n".join(parts)


def csv_table(records: Sequence[Record]) -> str:
    """One line for each case, with every single figure."""
    names = [name for _, name, _ in FIGURES]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["volume", "protocol", "method", "blind", "seed", "status", *names, "error"])
    for record in records:
        done = record["status"] == DONE
        figures = figures_of(record) if done else {}
        head = [record["volume"], protocol_name(record), record["method"], record["blind"], record["seed"]]
        values = [figures.get(name, "") for name in names]
        writer.writerow([*head, record["status"], *values, record.get("error", "")])
    return text.getvalue()


def shown(found: Estimate | None, form: str, *, interval: bool) -> str:
    """A mean, and its interval where it is asked for."""
    if found is None:
        return _NONE
    mean = format(found.mean, form)
    if not interval:
        return mean
    if found.interval is None:
        return f"{mean} (one volume)"
    low, high = (format(end, form) for end in found.interval)
    return f"{mean} [{low}, {high}]"


def _mean_table(protocol: str, rows: Sequence[Row]) -> str:
    headings = [heading for heading, _, _ in (*FIGURES, *DIFFERENCES)]
    lines = [f"### {protocol}\n", _line(["method", "volumes", *headings]), _rule(1, len(headings) + 1)]
    lines += [_mean_line(row) for row in rows]
    problems = [
        f"- **{row.method}**, {volume}: {_one_line(why)}"
        for row in rows
        for volume, why in row.problems.items()
    ]
    return "\n".join([*lines, "", *problems, *([""] if problems else [])])


def _mean_line(row: Row) -> str:
    total = len(row.volumes) + len(row.problems)
    count = str(total) if not row.problems else f"{len(row.volumes)} of {total}"
    if not row.figures:
        states = sorted({why.partition(":")[0] for why in row.problems.values()})
        blank = [_NONE] * (len(FIGURES) + len(DIFFERENCES) - 1)
        return _line([row.method, count, " and ".join(states), *blank])
    cells = [_cell(row.figures.get, column) for column in FIGURES]
    cells += [_cell(row.differences.get, column) for column in DIFFERENCES]
    return _line([row.method, count, *cells])


def _cell(look_up: Callable[[str], Estimate | None], column: Column) -> str:
    _, name, form = column
    return shown(look_up(name), form, interval=name in _WITH_INTERVAL)


def _volume_line(record: Record) -> str:
    if record["status"] != DONE:
        blank = [_NONE] * (len(FIGURES) - 1)
        return _line([record["volume"], record["method"], record["status"], *blank])
    figures = figures_of(record)
    cells = [format(figures[name], form) if name in figures else _NONE for _, name, form in FIGURES]
    return _line([record["volume"], record["method"], *cells])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(names: int, numbers: int) -> str:
    return f"|{'---|' * names}{'---:|' * numbers}"


def _one_line(text: str) -> str:
    return " ".join(text.split())

"""What `nullsplat plan` prints and writes."""

import json
import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from nullsplat.core.files import write_text
from nullsplat.planning.notation import DAY, HOUR, MINUTE
from nullsplat.planning.outcome import InTime, Outcome, StreamOutcome
from nullsplat.planning.request import Request
from nullsplat.planning.search import Plan

COLUMNS = ("workers", "in use", "priority", "wait: median", "95 %", "longest", "result: 95 %", "in time")
_UNITS = (("d", DAY), ("h", HOUR), ("min", MINUTE))


def span(seconds: float) -> str:
    """A duration as people say it: 45 s, 3.2 min, 1.5 h; never for infinity."""
    if not math.isfinite(seconds):
        return "never"
    for unit, size in _UNITS:
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def show(plan: Plan, request: Request) -> None:
    """Print what was assumed, a table, and the answer."""
    console = Console(highlight=False, soft_wrap=True)
    site, times = request.site, request.times
    console.print(
        f"{site.series_per_day:g} series a day, {span(times.mean)} of work each ({times.source}); "
        f"{request.years} simulated year(s): {plan.load:.2f} workers would be busy all the time."
    )
    console.print(_table(plan))
    console.print(answer(plan, request.share))


def answer(plan: Plan, share: float) -> str:
    """The number of workers in a sentence, or why there is none."""
    needed = f"{share:.0%} of the results of each priority in time"
    if plan.hopeless:
        reached = ", ".join(f"{name} {found:.0%}" for name, found in plan.hopeless.items())
        return (
            f"No number of workers brings {needed}: even without any wait only so many are ({reached}). It needs a faster "
            "machine, a quicker preset, or a longer limit."
        )
    if plan.enough is None:
        return f"None of the numbers tried brings {needed}; try more with --workers."
    return f"{plan.enough} worker{'s' if plan.enough > 1 else ''} bring{'s' if plan.enough == 1 else ''} {needed}."


def write_report(plan: Plan, request: Request, path: Path) -> None:
    """Write everything as JSON.

    Raises:
        StorageError: it cannot be written.
    """
    write_text(path, json.dumps(as_dict(plan, request), indent=1) + "\n")


def as_dict(plan: Plan, request: Request) -> dict[str, Any]:
    """Question and answer as plain values."""
    return {
        "site": request.site.model_dump(),
        "jobs": {"source": request.times.source, "mean_seconds": request.times.mean},
        "years": request.years,
        "seed": request.seed,
        "share": request.share,
        "load": plan.load,
        "enough": plan.enough,
        "hopeless": plan.hopeless,
        "outcomes": [outcome.as_dict() for outcome in plan.outcomes],
    }


def _table(plan: Plan) -> Table:
    table = Table(*COLUMNS, box=None, header_style="bold", padding=(0, 1, 0, 0))
    for outcome in plan.outcomes:
        for place, stream in enumerate(outcome.streams):
            table.add_row(*_begin(outcome, first=not place), *_row(stream))
    return table


def _begin(outcome: Outcome, *, first: bool) -> tuple[str, str]:
    return (str(outcome.workers), f"{outcome.use:.0%}") if first else ("", "")


def _row(stream: StreamOutcome) -> tuple[str, ...]:
    return stream.priority, *map(span, stream.wait), span(stream.result[1]), _in_time(stream.in_time)


def _in_time(found: InTime | None) -> str:
    if found is None:
        return "no limit"
    return f"{found.share:.1%} (from {found.low:.1%})"

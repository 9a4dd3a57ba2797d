"""A plot of the answer: share in time and waits by number of workers."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.files import make_folder, replacing
from nullsplat.planning.notation import MINUTE
from nullsplat.planning.search import Plan

_SIZE, _DPI = (11.0, 4.5), 120
_KINDS = (".svg", ".png", ".pdf")
_SHORTEST = 1.0
"""Waits below so many seconds are drawn there: the axis is logarithmic."""


def check_kind(path: Path) -> None:
    """Refuse a name that says no known kind of picture.

    Raises:
        ConfigurationError: it does not.
    """
    if path.suffix.lower() not in _KINDS:
        raise ConfigurationError(f"--plot must end with one of {', '.join(_KINDS)}, got {path.name}")


def save_plot(plan: Plan, share: float, path: Path) -> None:
    """Draw the shares in time with their intervals, and the waits that 95 % do not exceed.

    Raises:
        StorageError: it cannot be written.
    """
    figure, (left, right) = pyplot.subplots(1, 2, figsize=_SIZE, layout="constrained")
    try:
        for name in dict.fromkeys(stream.priority for one in plan.outcomes for stream in one.streams):
            _draw(plan, name, left, right)
        left.axhline(100 * share, color="grey", linestyle="--", linewidth=1)
        left.set(xlabel="workers", ylabel="results in time in %")
        right.set(xlabel="workers", ylabel="wait that 95 % do not exceed, in minutes", yscale="log")
        for axes in (left, right):
            axes.set_xticks([one.workers for one in plan.outcomes])
            axes.grid(alpha=0.3)
            axes.legend()
        make_folder(path.parent)
        with replacing(path) as partial:
            figure.savefig(partial, dpi=_DPI)
    finally:
        pyplot.close(figure)


def _draw(plan: Plan, name: str, left: Axes, right: Axes) -> None:
    chosen = [
        (one.workers, stream) for one in plan.outcomes for stream in one.streams if stream.priority == name
    ]
    workers = [number for number, _ in chosen]
    right.plot(workers, [max(stream.wait[1], _SHORTEST) / MINUTE for _, stream in chosen], "o-", label=name)
    found = [stream.in_time for _, stream in chosen if stream.in_time is not None]
    if len(found) == len(chosen):
        around = [
            [100 * (one.share - one.low) for one in found],
            [100 * (one.high - one.share) for one in found],
        ]
        left.errorbar(workers, [100 * one.share for one in found], around, fmt="o-", capsize=3, label=name)

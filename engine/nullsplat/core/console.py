"""Progress of named stages on a console: bars on a terminal, plain lines in a log or a pipe."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

StageProgress = Callable[[str, float, str], None]
"""Called with (stage, fraction of the stage in [0, 1], note)."""

_LINE_EVERY_FRACTION = 0.1
_LINE_EVERY_SECONDS = 5.0
_SPEED_OVER_SECONDS = 600.0
"""The time left follows from so much of the past: some stages report only every half minute."""


class StageDisplay:
    """Context manager that shows how far each stage is.

    Call it with the stage's name, its fraction in [0, 1] and a short note, as often as wanted: elsewhere than on a
    terminal only the first, the last and a few calls in between become lines.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._last: dict[str, tuple[float, float]] = {}

    def __enter__(self) -> "StageDisplay":
        """Draw the bars, if there is a terminal or a notebook with widgets to draw on."""
        if self._console.is_terminal or (self._console.is_jupyter and find_spec("ipywidgets")):
            columns = (TextColumn("    {task.description:12}"), BarColumn(24), TaskProgressColumn())
            times = (TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn())
            notes = TextColumn("{task.fields[note]}", style="dim", markup=False)
            self._bars = Progress(
                *columns, *times, notes, console=self._console, speed_estimate_period=_SPEED_OVER_SECONDS
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bars as they are."""
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, stage: str, fraction: float, note: str = "") -> None:
        """Show that `stage` is at `fraction`."""
        fraction = min(max(fraction, 0.0), 1.0)
        if self._bars is None:
            self._line(stage, fraction, note)
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=1.0, note=note)
        self._bars.update(self._tasks[stage], completed=fraction, note=note)

    def _line(self, stage: str, fraction: float, note: str) -> None:
        now = time.monotonic()
        before, shown_at = self._last.get(stage, (-1.0, 0.0))
        finished = fraction >= 1 > before
        further = fraction - before >= _LINE_EVERY_FRACTION and now - shown_at >= _LINE_EVERY_SECONDS
        if before < 0 or finished or further:
            self._last[stage] = (fraction, now)
            self._console.print(
                f"    {stage:<12}{fraction:>5.0%}  {note}".rstrip(), highlight=False, markup=False
            )


@contextmanager
def displayed(progress: StageProgress | None, console: Console | None = None) -> Iterator[StageProgress]:
    """The caller's progress callback; for None, a display where somebody watches: on a terminal or in a notebook.

    Args:
        progress: of the caller.
        console: where to draw; by default, the one of this process.
    """
    console = console or Console(stderr=True)
    if progress is not None:
        yield progress
    elif console.is_terminal or console.is_jupyter:
        with StageDisplay(console) as display:
            yield display
    else:
        yield _unseen


def _unseen(stage: str, fraction: float, note: str = "") -> None:
    pass

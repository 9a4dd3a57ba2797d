"""The demonstration's lines on the screen: numbered steps with progress under them."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from nullsplat.core.console import StageDisplay


class Steps:
    """Numbers the steps of a run of `total`."""

    def __init__(self, total: int, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._total = total
        self._number = 0

    def begin(self, title: str) -> None:
        """Announce the next step."""
        self._number += 1
        self.console.print(f"[bold]\\[{self._number}/{self._total}][/] {title}")

    def say(self, text: str = "") -> None:
        """One line under the current step."""
        self.console.print(f"    {text}" if text else "", markup=False)

    @contextmanager
    def progress(self) -> Iterator[StageDisplay]:
        """Bars or lines for what the step is doing."""
        with StageDisplay(self.console) as display:
            yield display

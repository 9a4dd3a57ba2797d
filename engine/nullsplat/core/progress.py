"""How long-running work reports its progress, and is told to stop."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Receives progress; may raise `Cancelled` to stop the work at the next safe point."""

    def __call__(self, fraction: float, note: str = "") -> None:
        """Report `fraction` in [0, 1] of the current stage, with a short note such as a loss."""


def silent(fraction: float, note: str = "") -> None:
    """Report to nobody."""


def part(progress: Progress, start: float, stop: float) -> Progress:
    """A view of `progress` for work that takes it from `start` to `stop`."""

    def report(fraction: float, note: str = "") -> None:
        progress(start + fraction * (stop - start), note)

    return report

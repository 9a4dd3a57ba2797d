"""How long-running work reports its progress, and is told to stop."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
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


def parts(progress: Progress, shares: Sequence[float]) -> Iterator[Progress]:
    """One view of `progress` after the other for works that take these shares of the whole."""
    ends = list(accumulate(shares))
    for share, end in zip(shares, ends, strict=True):
        yield part(progress, (end - share) / ends[-1], end / ends[-1])

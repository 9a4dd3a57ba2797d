"""One line of the result: what was timed, on what, against what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nullsplat.evaluation.bench.timing import Timing

Shapes = Mapping[str, int | tuple[int, ...]]


@dataclass(frozen=True)
class Row:
    """A timing and one reference for it.

    Attributes:
        part: which part of the benchmark, one of `suites.SUITES`.
        kernel: what was timed, such as `integrate forward`.
        shapes: sizes of what it worked on, by name.
        ours: wall times.
        reference: what it is compared with; empty where nothing else does this work.
        reference_ms: median of the reference in milliseconds; None where it is not there, and `note` says why.
        note: what one must know to read the row.
    """

    part: str
    kernel: str
    shapes: Shapes
    ours: Timing
    reference: str = ""
    reference_ms: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Reference over ours: above 1 ours is faster."""
        return None if self.reference_ms is None else self.reference_ms / self.ours.median_ms

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "part": self.part,
            "kernel": self.kernel,
            "shapes": {n: list(s) if isinstance(s, tuple) else s for n, s in self.shapes.items()},
            "repeats": len(self.ours.seconds),
            "median_ms": self.ours.median_ms,
            "fastest_ms": self.ours.fastest_ms,
            "reference": self.reference,
            "reference_ms": self.reference_ms,
            "ratio": self.ratio,
            "note": self.note,
        }


def describe_shapes(shapes: Shapes) -> str:
    """For example `volume 8x48x48, views 12`."""
    return ", ".join(
        f"{name} {'x'.join(map(str, size)) if isinstance(size, tuple) else size}"
        for name, size in shapes.items()
    )

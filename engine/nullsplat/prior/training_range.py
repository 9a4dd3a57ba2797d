"""What a prior was trained on, as ranges of figures: outside them nobody knows how good its answers are."""

from dataclasses import dataclass
from typing import Any

from nullsplat.prior.series_figures import FIGURES, Figures
from nullsplat.prior.weights import Companion

FILE = "training_range.json"
"""In a prior's folder."""

COMPANION = Companion(FILE, "the lowest and highest of each figure", "training-range")

OUTSIDE = "outside_training"
"""What a report calls the sentences of `TrainingRange.outside`, put together."""


@dataclass(frozen=True)
class TrainingRange:
    """Which figures a prior is familiar with.

    Attributes:
        spans: lowest and highest, by the names in `FIGURES`.
        facts: on which CTs it was measured, and how.
    """

    spans: dict[str, tuple[float, float]]
    facts: dict[str, Any]

    def outside(self, figures: Figures) -> tuple[str, ...]:
        """What of a series lies outside, each in a sentence without its full stop; nothing where all is familiar.

        Args:
            figures: of the series, see `series_figures`; one that is not there is not judged.
        """
        return tuple(
            sentence
            for name, value in figures.items()
            if name in self.spans and (sentence := _outside(name, value, self.spans[name]))
        )


def _outside(name: str, value: float, span: tuple[float, float]) -> str:
    (low, high), figure = span, FIGURES[name]
    if (figure.only_above or value >= low) and value <= high:
        return ""
    known = figure.told(low) if low == high else f"{figure.told(low)} to {figure.told(high)}"
    return f"{figure.title} is {figure.told(value)}, familiar is {known}"


def training_range_of(prior: str) -> TrainingRange | None:
    """What is known of a prior's training; None where nobody measured it.

    Args:
        prior: a packaged name or a folder, see `weights.locate`.

    Raises:
        WeightsError: there is no such prior, or the file is damaged or belongs to other weights.
    """
    return COMPANION.of(prior, _read)


def training_range_hash(prior: str) -> str:
    """SHA-256 of what `training_range_of` reads, 64 hexadecimal digits; zeros where nobody measured it.

    Raises:
        WeightsError: as `training_range_of`.
    """
    training_range_of(prior)
    return COMPANION.hash(prior)


def _read(content: dict[str, Any]) -> TrainingRange:
    spans = {name: _span(content["figures"][name]) for name in FIGURES}
    return TrainingRange(spans, {name: value for name, value in content.items() if name != "figures"})


def _span(content: Any) -> tuple[float, float]:
    low, high = map(float, content)
    if not low <= high:
        raise ValueError(f"{low} to {high}")
    return low, high

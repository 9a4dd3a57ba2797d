"""Mean scores and preference rates of an unblinded reader study, with intervals that say how far they can be trusted.

Cases are resampled, with all their readings and readers together: an interval holds for other cases and these readers,
not for other readers.
Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.seeds import numpy_generator
from nullsplat.evaluation.comparison.statistics import CONFIDENCE, RESAMPLES
from nullsplat.evaluation.reader_study.key import Key
from nullsplat.evaluation.reader_study.sheet import CRITERIA, PREFERRED, Scored

FEWEST_CASES = 2
"""One case cannot say how cases differ."""


@dataclass(frozen=True)
class Estimate:
    """A mean over cases.

    Attributes:
        mean: the mean of the cases' means over readers.
        low: lower end of the interval; None if there are too few cases.
        high: upper end.
    """

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Verdict:
    """What the readers said, by method.

    Attributes:
        readers: names of the sheets.
        cases: how many cases were read by anybody.
        scores: method to criterion to mean score.
        preference: method to the share of readings in which it was preferred.
    """

    readers: tuple[str, ...]
    cases: int
    scores: dict[str, dict[str, Estimate]]
    preference: dict[str, Estimate]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"confidence": CONFIDENCE, "resampled": "cases", **asdict(self)}


def unblind(rows: Sequence[Scored], key: Key, seed: int = 0) -> Verdict:
    """Means by method over all readers' sheets.

    Args:
        rows: of all sheets.
        key: of the study.
        seed: of the resampling.
    Raises:
        ConfigurationError: no rows, one reader twice, or rows that are not the key's.
    """
    if not rows:
        raise ConfigurationError("at least one filled sheet is needed, got none")
    _check_once(rows)
    cases = sorted({row.case for row in rows})
    values = {
        method: {name: _by_case(rows, key, method, name) for name in (*CRITERIA, PREFERRED)}
        for method in key.methods
    }
    weights = _resampled_weights(len(cases), seed)
    estimates = {
        method: {name: estimate(found, weights) for name, found in by_name.items()}
        for method, by_name in values.items()
    }
    preference = {method: by_name.pop(PREFERRED) for method, by_name in estimates.items()}
    return Verdict(tuple(sorted({row.reader for row in rows})), len(cases), estimates, preference)


def estimate(values: Float[ndarray, " cases"], weights: Float[ndarray, "resamples cases"] | None) -> Estimate:
    """The mean of the cases with its percentile interval.

    Args:
        values: one per case.
        weights: share of each case in each resample, see `unblind`; None for no interval.
    """
    mean = float(values.mean())
    if weights is None:
        return Estimate(mean, None, None)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(weights @ values, (tail, 1 - tail))
    return Estimate(mean, float(low), float(high))


def _resampled_weights(cases: int, seed: int) -> Float[ndarray, "resamples cases"] | None:
    """The same resamples for all figures, so that methods meet the same cases in each."""
    if cases < FEWEST_CASES:
        return None
    generator = numpy_generator(seed, "reader study", "bootstrap")
    drawn: ndarray = generator.multinomial(cases, np.full(cases, 1 / cases), size=RESAMPLES) / cases
    return drawn


def _by_case(rows: Sequence[Scored], key: Key, method: str, name: str) -> Float[ndarray, " cases"]:
    """For each case that was read, by number: the mean over its readers."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if key.method(row.case, row.reading) == method:
            found.setdefault(row.case, []).append(
                float(row.preferred if name == PREFERRED else row.scores[name])
            )
    return np.array([np.mean(found[case]) for case in sorted(found)], np.float64)


def _check_once(rows: Sequence[Scored]) -> None:
    seen = [(row.reader, row.case, row.reading) for row in rows]
    twice = sorted({reader for reader, case, reading in seen if seen.count((reader, case, reading)) > 1})
    if twice:
        raise ConfigurationError(
            f"every reader may hand in one sheet, got more than one of {', '.join(twice)}; "
            "give the files different names if they are of different readers"
        )


def table(verdict: Verdict) -> str:
    """A Markdown table: a row for each method, a column for each criterion and the preference rate."""
    header = ("method", *CRITERIA, "preference, %")
    lines = [header, tuple("---" for _ in header)]
    for method, scores in verdict.scores.items():
        shown = [_shown(scores[name], 1) for name in CRITERIA]
        lines.append((method, *shown, _shown(verdict.preference[method], 100)))
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in lines
    )


def _shown(found: Estimate, unit: float) -> str:
    digits = 2 if unit == 1 else 0
    mean = f"{found.mean * unit:.{digits}f}"
    if found.low is None or found.high is None:
        return mean
    return f"{mean} ({found.low * unit:.{digits}f} to {found.high * unit:.{digits}f})"

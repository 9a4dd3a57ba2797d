"""Figures of all rounds, put together for people."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nullsplat.evaluation.comparison.case import Record
from nullsplat.evaluation.data.degrade import Protocol
from nullsplat.evaluation.tasks.figures import Trial
from nullsplat.evaluation.tasks.lesions import DIAMETERS_MM, GROUNDS
from nullsplat.evaluation.tasks.observer import CHANNELS, area_under_curve, detectability, hotelling
from nullsplat.evaluation.tasks.transfer import Transfer

LEAST = 2 * CHANNELS
"""Lesions below which channels cannot be weighed."""

Cell = Callable[[Sequence[Record]], str]


def tables(records: Sequence[Record]) -> str:
    """Markdown: for each degradation the lesions of each ground, then sharpness, noise and segmentations."""
    protocols = list(dict.fromkeys(Protocol(**record["protocol"]).name for record in records))
    return "\n\n".join(
        _of_protocol(name, [r for r in records if Protocol(**r["protocol"]).name == name])
        for name in protocols
    )


def trials_of(records: Sequence[Record], ground: str) -> list[Trial]:
    """All places on a ground."""
    found = [Trial(**one) for record in records for one in record["trials"]]
    return [trial for trial in found if trial.ground == ground]


def _of_protocol(name: str, records: Sequence[Record]) -> str:
    parts = [f"### {name}"]
    for ground in GROUNDS:
        count = len(trials_of([r for r in records if r["method"] == records[0]["method"]], ground))
        if count:
            title = f"Lesions in {ground}: {count} places, each seen with its lesion and without"
            parts.append(f"{title}\n\n{_table(records, _lesion_columns(ground))}")
    parts.append(f"Sharpness, noise and segmentations\n\n{_table(records, _further_columns())}")
    return "\n\n".join(parts)


def _table(records: Sequence[Record], columns: dict[str, Cell]) -> str:
    methods = list(dict.fromkeys(record["method"] for record in records))
    head = f"| | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}"
    lines = [
        f"| {method} | {' | '.join(cell([r for r in records if r['method'] == method]) for cell in columns.values())} |"
        for method in methods
    ]
    return "\n".join([head, *lines])


def _lesion_columns(ground: str) -> dict[str, Cell]:
    def over(measure: Callable[[list[Trial]], str], mm: float | None = None) -> Cell:
        return lambda records: measure(
            [t for t in trials_of(records, ground) if mm is None or t.diameter_mm == mm]
        )

    return {
        **{f"shown, {mm:g} mm": over(_shown, mm) for mm in DIAMETERS_MM},
        "shown": over(_shown),
        "invented": over(_invented),
        "contrast kept": over(_kept),
        "AUC": over(_area),
        "d'": over(_detectability),
    }


def _share(trials: list[Trial], what: Callable[[Trial], bool]) -> str:
    return f"{sum(map(what, trials)) / len(trials):.0%}" if trials else ""


def _shown(trials: list[Trial]) -> str:
    return _share(trials, lambda trial: trial.shown)


def _invented(trials: list[Trial]) -> str:
    return _share(trials, lambda trial: trial.invented)


def _kept(trials: list[Trial]) -> str:
    """The slope of what is shown over what was put in."""
    put = np.array([t.true_present_hu - t.true_absent_hu for t in trials])
    seen = np.array([t.present_hu - t.absent_hu for t in trials])
    return f"{float(put @ seen / (put @ put)):.0%}" if len(trials) else ""


def _area(trials: list[Trial]) -> str:
    present, absent = (np.array([getattr(t, name) for t in trials]) for name in ("present_hu", "absent_hu"))
    return f"{area_under_curve(present, absent):.2f}" if trials else ""


def _detectability(trials: list[Trial]) -> str:
    if len(trials) < LEAST:
        return ""
    present, absent = (np.array([getattr(t, name) for t in trials]) for name in ("present", "absent"))
    return f"{detectability(*hotelling(present, absent)):.2f}"


def _further_columns() -> dict[str, Cell]:
    return {
        "f50 through slices": lambda records: _f50(records, "through"),
        "f50 within slices": lambda records: _f50(records, "within"),
        **{f"noise, {ground}": _noise_of(ground) for ground in GROUNDS},
        "Dice of lungs": lambda records: _dice(records, "lungs"),
        "Dice of vessels": lambda records: _dice(records, "vessels"),
    }


def _f50(records: Sequence[Record], axis: str) -> str:
    parts = [record["transfer"][axis] for record in records]
    gathered = sum((Transfer(np.array(p["product"]), np.array(p["power"])) for p in parts), Transfer())
    return "beyond" if gathered.f50 is None else f"{gathered.f50:.3f}/mm"


def _noise_of(ground: str) -> Cell:
    def cell(records: Sequence[Record]) -> str:
        there = [r["noise"][ground] for r in records if ground in r["noise"]]
        if not there:
            return ""
        deviation, frequency = (
            float(np.mean([one[name] for one in there])) for name in ("deviation_hu", "mean_frequency")
        )
        return f"{deviation:.1f} HU at {frequency:.2f}/mm"

    return cell


def _dice(records: Sequence[Record], what: str) -> str:
    values: list[Any] = [r["dice"][what] for r in records if r["dice"][what] is not None]
    return f"{float(np.mean(values)):.3f}" if values else ""

"""The figures of a whole evaluation: means over volumes with their intervals, and differences to the baselines."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from nullsplat.evaluation.comparison.case import DONE, Record
from nullsplat.evaluation.comparison.statistics import Estimate, estimate, paired_difference
from nullsplat.evaluation.data.degrade import Protocol
from nullsplat.evaluation.metrics.scores import REGIONS_HU

REFERENCES = ("cubic", "tv")
"""What every method is compared with, volume by volume."""

REGIONS = ("body", *REGIONS_HU)
PAIRED = ("psnr", "ssim")


@dataclass(frozen=True)
class Row:
    """One method in one degradation.

    Attributes:
        protocol: its name.
        method: its name.
        figures: mean over volumes by name of the figure; those that no volume has are left out.
        differences: paired difference by `<figure> - <reference>`.
        volumes: names of the volumes that the means are of.
        problems: by volume, why there is no figure.
    """

    protocol: str
    method: str
    figures: dict[str, Estimate]
    differences: dict[str, Estimate]
    volumes: list[str]
    problems: dict[str, str]

    def as_dict(self) -> Record:
        """Plain values, ready for JSON."""
        return asdict(self)


def protocol_name(record: Record) -> str:
    """The name of a record's degradation."""
    return Protocol(**record["protocol"]).name


def figures_of(record: Record) -> dict[str, float]:
    """Every single number of a finished case, by name."""
    scores = record["scores"]
    found = {
        "psnr": scores["psnr"],
        "ssim": scores["ssim"],
        **{f"rmse {region}": scores["rmse_hu"].get(region) for region in REGIONS},
        "lr_consistency": scores["lr_consistency_rmse_hu"],
        "slice_consistency": record["slice_consistency"],
        "seconds": record["seconds"],
        "peak_memory_mib": record["peak_memory_mib"],
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def summarise(records: Sequence[Record], seed: int = 0) -> list[Row]:
    """One row for each degradation and method, in the order in which they come.

    Args:
        records: of all cases.
        seed: of the bootstrap.
    """
    groups = list(dict.fromkeys((protocol_name(record), record["method"]) for record in records))
    values = {
        group: {
            record["volume"]: figures_of(record)
            for record in records
            if (protocol_name(record), record["method"]) == group and record["status"] == DONE
        }
        for group in groups
    }
    return [_row(group, values, records, seed) for group in groups]


def _row(
    group: tuple[str, str],
    values: dict[tuple[str, str], dict[str, dict[str, float]]],
    records: Sequence[Record],
    seed: int,
) -> Row:
    protocol, method = group
    names = dict.fromkeys(name for figures in values[group].values() for name in figures)
    differences = {
        f"{figure} - {reference}": paired_difference(
            _column(values[group], figure), _column(values.get((protocol, reference), {}), figure), seed
        )
        for figure in PAIRED
        for reference in REFERENCES
        if reference != method
    }
    return Row(
        protocol,
        method,
        {name: estimate(list(_column(values[group], name).values()), seed) for name in names},
        {name: difference for name, difference in differences.items() if difference is not None},
        list(values[group]),
        {
            record["volume"]: f"{record['status']}: {record['error']}"
            for record in records
            if (protocol_name(record), record["method"]) == group and record["status"] != DONE
        },
    )


def _column(volumes: dict[str, dict[str, float]], figure: str) -> dict[str, float]:
    return {name: figures[figure] for name, figures in volumes.items() if figure in figures}

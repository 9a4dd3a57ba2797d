"""The figures of stage 1 as a table, and as JSON that it can be made of again."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nullsplat.evaluation.machine import describe_machine, describe_software
from nullsplat.evaluation.stage1_study import Row

RESULTS = "stage1.json"
TABLE = "stage1.md"

_HEADER = (
    "| method | evaluations | samples | projections, PSNR dB | gain on projected tv | volume, PSNR dB | A p - y | s |\n"
    "|---|---|---|---|---|---|---|---|"
)


def write_stage1(rows: Mapping[str, Sequence[Row]], about: dict[str, Any], folder: Path) -> None:
    """Write `RESULTS` and `TABLE`.

    Args:
        rows: of each case, named for example `chest iso4`.
        about: what was asked for.
        folder: which is made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "about": about,
        "machine": describe_machine(),
        "software": describe_software(),
        "cases": {name: [row.as_dict() for row in case] for name, case in rows.items()},
    }
    (folder / RESULTS).write_text(json.dumps(content, indent=2) + "\n")
    (folder / TABLE).write_text(
        "\n\n".join(f"### {name}\n\n{table(case)}" for name, case in rows.items()) + "\n"
    )


def table(rows: Sequence[Row]) -> str:
    """One case as a Markdown table."""
    reference = next(row.psnr for row in rows if row.method == "projected tv")
    return "\n".join([_HEADER, *(_line(row, reference) for row in rows)])


def _line(row: Row, reference: float) -> str:
    volume = "" if row.volume_psnr is None else f"{row.volume_psnr:.2f}"
    network = f"{row.steps} | {row.samples}" if row.samples else " | "
    return (
        f"| {row.method} | {network} | {row.psnr:.2f} | {row.psnr - reference:+.2f} | {volume} | "
        f"{row.consistency:.5f} | {row.seconds:.0f} |"
    )

"""The figures of stage 1 as a table."""

from collections.abc import Sequence

from nullsplat.evaluation.studies.stage1 import Row

_HEADER = (
    "| method | evaluations | samples | projections, PSNR dB | gain on projected tv | volume, PSNR dB | A p - y | s |\n"
    "|---|---|---|---|---|---|---|---|"
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

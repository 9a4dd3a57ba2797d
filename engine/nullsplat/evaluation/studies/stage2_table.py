"""The figures of stage 2 as a table."""

from collections.abc import Sequence

from nullsplat.evaluation.studies.stage2 import Row

_HEADER = (
    "| method | given | views | Gaussians | steps | PSNR dB | SSIM | over tv | after the consistency step | s |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def table(rows: Sequence[Row]) -> str:
    """One case as a Markdown table."""
    reference = next(row.psnr for row in rows if row.method == "tv")
    return "\n".join([_HEADER, *(_line(row, reference) for row in rows)])


def _line(row: Row, reference: float) -> str:
    fit = f"{row.given} | {row.views or ''} | {row.gaussians} | {row.steps or ''}" if row.given else " | | | "
    checked = "" if row.checked_psnr is None else f"{row.checked_psnr:.2f}"
    seconds = f"{row.seconds:.1f}" if row.given else ""
    return (
        f"| {row.method} | {fit} | {row.psnr:.2f} | {row.ssim:.4f} | {row.psnr - reference:+.2f} | "
        f"{checked} | {seconds} |"
    )

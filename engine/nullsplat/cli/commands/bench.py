"""`nullsplat bench`: options and help of the command; `evaluation.bench` does the work."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Debug


class Size(StrEnum):
    """How much is timed."""

    tiny = "tiny"
    cpu = "cpu"
    gpu = "gpu"


def bench(
    only: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="Some of memory, projector, project, integrate, voxelise, upsampling, stages. All by default.",
        ),
    ] = "",
    repeats: Annotated[
        int, typer.Option(min=1, help="Timings per row, of which the median is shown; stages take 3 at most.")
    ] = 15,
    size: Annotated[
        Size, typer.Option(help="tiny for a quick look, cpu to measure a CPU, gpu to measure a GPU.")
    ] = Size.cpu,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write JSON and Markdown into this folder as well.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Time kernels and stages on this machine, as ratios to references that are timed in the same run.

    The projector is compared with ASTRA's (`pip install 'nullsplat[bench]'`), the projection of Gaussians with
    gsplat's torch reference, interpolation with SciPy's, and what only moves data with the memory's bandwidth.
    """
    with readable_failures(debug=debug):
        _run(only, repeats, size.value, out)


def _run(only: str, repeats: int, size: str, out: Path | None) -> None:
    # Imported here: --help must not import torch.
    from nullsplat.evaluation.bench.report import heading, table, write_result  # noqa: PLC0415
    from nullsplat.evaluation.bench.suites import chosen_parts, run_suites  # noqa: PLC0415
    from nullsplat.evaluation.bench.workloads import conditions  # noqa: PLC0415

    result = run_suites(conditions(size, repeats), chosen_parts(only), lambda part: print(f"timing {part}"))
    print(f"\n{heading(result)}\n\n{table(result.rows)}")
    if out is not None:
        for path in write_result(result, out):
            print(f"wrote {path}")

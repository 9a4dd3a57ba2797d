"""`nullsplat plan`: options and help of the command; `planning` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.failures import FAILED, readable_failures
from nullsplat.cli.options import Debug


def plan(  # noqa: PLR0913, PLR0917 - options are parameters
    series: Annotated[
        float | None, typer.Option(metavar="N", min=0.01, help="Series on a working day; 400 by default.")
    ] = None,
    within: Annotated[
        str,
        typer.Option(
            metavar="PRIORITY=TIME,...",
            help="Time limits from arrival to delivery, such as stat=10m,normal=4h.",
        ),
    ] = "",
    share: Annotated[
        float,
        typer.Option(
            metavar="%",
            min=1,
            max=100,
            help="Percentage of the results of each priority that must be in time.",
        ),
    ] = 95.0,
    jobs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json", help="Jobs of your node: its answer to /v1/jobs?state=succeeded&limit=1000."
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", min=0.01, help="Instead: seconds of one job on average.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Instead: a preset on one CPU thread, for a whole chest; preview by default."),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml", help="Weekdays, hours, priorities, failures, maintenance of your site."
        ),
    ] = None,
    workers: Annotated[
        str,
        typer.Option(
            metavar="N|N-M", help="Numbers of workers to compare; by default the first that is enough."
        ),
    ] = "",
    years: Annotated[int, typer.Option(min=1, max=20, help="Simulated years.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same answer.")] = 0,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg|FILE.png", help="Draw the answer.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write question and answer to this file.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Find out how many workers a site needs by simulating a year of its series.

    Exit code 1 when no number of workers that was tried is enough.

    Example: `nullsplat plan --series 400 --within stat=10m --seconds 150 --plot plan.svg`
    """
    with readable_failures(debug=debug):
        from nullsplat.planning.request import Options  # noqa: PLC0415 - --help must not import numpy
        from nullsplat.planning.run import run  # noqa: PLC0415

        options = Options(site, series, within, jobs, seconds, preset, workers, share, years, seed)
        if not run(options, plot, report):
            raise typer.Exit(FAILED)

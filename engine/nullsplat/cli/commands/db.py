"""`nullsplat db backup`, `db check` and `db purge`: options and help; `cli.work.db` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Debug

app = typer.Typer(
    no_args_is_help=True,
    help="Back up, check and clear the engine's database; settings come from the environment as for `serve`.",
)


@app.command(short_help="Copy the database as it is now, while everything goes on.")
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The backup; must not exist yet.")],
    debug: Debug = False,
) -> None:
    """Copy the database as it is at this moment, while API and workers keep running; the copy is checked.

    SQLite becomes an SQLite file, PostgreSQL what `pg_dump --format=custom` writes.
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.db import back_up_to  # noqa: PLC0415 - --help must not import torch

        print(back_up_to(target))


@app.command(short_help="Read the whole database and report whether it is intact.")
def check(debug: Debug = False) -> None:
    """Read the whole database and report whether it is intact. Nothing is changed.

    Exit code 1 when it is damaged.
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.db import check_database  # noqa: PLC0415 - --help must not import torch

        print(check_database())


@app.command(short_help="Purge old jobs now.")
def purge(
    older_than: Annotated[
        float | None,
        typer.Option(min=0, metavar="DAYS", help="Days to keep; else NULLSPLAT_RETENTION_DAYS, at least 7."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Purge jobs that ended long ago, with their UIDs and workflows, as workers do on their own.

    With --older-than, younger ones too; the node resubmits a job if it has not yet learned how it ended.
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.db import purge_database  # noqa: PLC0415 - --help must not import torch

        print(purge_database(older_than))

"""`nullsplat rules check` and `rules test`: options and help; `cli.work.rules` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Debug

Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="The node's Orthanc configuration, for its defaults and modalities; else the shipped one.",
    ),
]

app = typer.Typer(no_args_is_help=True, help="Check the Orthanc node's rules file, and try it on scans.")


@app.command(short_help="Check a rules file and state in words what it does.")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The rules file.")],
    config: Config = None,
    debug: Debug = False,
) -> None:
    """Check a rules file as Orthanc's plugin does when it starts, and state in words what it does.

    Exit code 2 when something in it is wrong: file, line, rule and key are named.
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.rules import check_file  # noqa: PLC0415 - --help must not import pydicom

        print(check_file(file, config))


@app.command("test", short_help="Say which rule takes a scan, and why the others do not.")
def try_on(
    scan: Annotated[
        Path, typer.Argument(metavar="FILE.dcm|DIR", help="One image, or a folder with one or more series.")
    ],
    rules: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="The rules file; else the one that the configuration names."),
    ] = None,
    called_aet: Annotated[
        str, typer.Option(metavar="TITLE", help="AE title that the sender calls; not in the images.")
    ] = "",
    calling_aet: Annotated[
        str, typer.Option(metavar="TITLE", help="AE title of the sender; not in the images.")
    ] = "",
    config: Config = None,
    debug: Debug = False,
) -> None:
    """Say which rule takes a scan, why each rule before it does not, and what would be done.

    Nothing is sent and nothing is changed. Exit code 2 when the rules file or the images cannot be read.

    Example: `nullsplat rules test scans/chest --rules rules.toml --called-aet SCREENING`
    """
    with readable_failures(debug=debug):
        from nullsplat.cli.work.rules import Trial, try_rules  # noqa: PLC0415 - --help must not import pydicom

        print(try_rules(Trial(scan, rules, config, called_aet, calling_aet)))

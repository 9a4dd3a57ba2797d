"""`nullsplat doctor`: looks at everything that a node needs and says in plain words what is missing."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from nullsplat.cli.checks.findings import Finding, Level, packages, python

_STYLE = {Level.OK: "green", Level.NOTE: "yellow", Level.MISSING: "bold red"}


def run() -> int:
    """Print all findings; returns 1 when something that is needed is missing, else 0."""
    console = Console(soft_wrap=True, highlight=False)
    missing = 0
    for finding in findings():
        missing += finding.level is Level.MISSING
        style = _STYLE[finding.level]
        console.print(f"[{style}]{finding.level.value:<9}[/]{finding.subject:<19}", end="")
        console.print(finding.text, markup=False)
    verdict = (
        "all that is needed is there" if not missing else f"{missing} needed thing(s) missing, see above"
    )
    console.print(f"\n{verdict}")
    return 1 if missing else 0


def findings() -> Iterator[Finding]:
    """Everything that is looked at, in the order in which it is worth repairing."""
    yield python()
    found = packages()
    yield found
    if found.level is Level.OK:
        yield from _engine_findings()


def _engine_findings() -> Iterator[Finding]:
    # Imported here: these looks cannot even be loaded where a package is missing.
    from nullsplat.cli.checks import computing, node  # noqa: PLC0415
    from nullsplat.cli.checks.modalities import modalities  # noqa: PLC0415

    yield computing.prior_weights()
    yield computing.processor()
    settings, finding = node.settings_findings()
    yield node.disk(settings.spool if settings else Path.cwd())
    yield node.orthanc(needed=settings is None)
    yield node.rules()
    yield finding
    if settings is not None:
        yield node.archive(settings)
        if (open_port := node.archive_port(settings)) is not None:
            yield open_port
        if (may_read := modalities(settings)) is not None:
            yield may_read
        yield node.engine(settings)

"""`nullsplat doctor`: checks everything that a node needs and reports what is missing."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from nullsplat.cli.checks.findings import PACKAGES, Finding, Level, packages, python
from nullsplat.core.errors import ConfigurationError

_STYLE = {Level.OK: "green", Level.NOTE: "yellow", Level.MISSING: "bold red"}


def run(report: Path | None = None) -> int:
    """Print all findings; returns 1 when something that is needed is missing, else 0.

    Args:
        report: a file for a support request, to be written as well.

    Raises:
        ConfigurationError: no report can be written while packages are missing.
        StorageError: the report cannot be written.
    """
    console = Console(soft_wrap=True, highlight=False)
    found = [_tell(console, finding) for finding in findings()]
    missing = sum(finding.level is Level.MISSING for finding in found)
    verdict = (
        "nothing that is needed is missing"
        if not missing
        else f"{missing} required item(s) missing, see above"
    )
    console.print(f"\n{verdict}")
    if report is not None:
        _write_report(found, report)
        console.print(f"{report} is for a support request; read it before you pass it on", markup=False)
    return 1 if missing else 0


def _tell(console: Console, finding: Finding) -> Finding:
    style = _STYLE[finding.level]
    console.print(f"[{style}]{finding.level.value:<9}[/]{finding.subject:<19}", end="")
    console.print(f"{finding.text}: {finding.quoted}" if finding.quoted else finding.text, markup=False)
    return finding


def _write_report(found: list[Finding], path: Path) -> None:
    if any(finding.subject == PACKAGES and finding.level is Level.MISSING for finding in found):
        raise ConfigurationError("a report needs all packages; install what is missing, see above")
    # Imported here: it cannot be imported where a package is missing.
    from nullsplat.cli.checks.report import write_report  # noqa: PLC0415

    write_report(found, path)


def findings() -> Iterator[Finding]:
    """All checks, in the order in which to mend what they find."""
    yield python()
    found = packages()
    yield found
    if found.level is Level.OK:
        yield from _engine_findings()


def _engine_findings() -> Iterator[Finding]:
    # Imported here: these checks cannot be imported where a package is missing.
    from nullsplat.cli.checks import computing, node  # noqa: PLC0415
    from nullsplat.cli.checks.modalities import modalities  # noqa: PLC0415
    from nullsplat.cli.checks.shared_spool import shared_spool  # noqa: PLC0415

    yield computing.prior_weights()
    yield computing.processor()
    settings, finding = node.settings_findings()
    yield node.disk(settings.spool if settings else Path.cwd())
    if settings is not None and (shared := shared_spool(settings)) is not None:
        yield shared
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

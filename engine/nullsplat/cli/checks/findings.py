"""Findings of `nullsplat doctor`, and the checks that need nothing but Python itself."""

import importlib.metadata
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from packaging.requirements import Requirement

PACKAGES = "Packages"
"""Subject of the check of what the other checks import."""


class Level(Enum):
    """How serious a finding is."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """The finding of one check.

    Attributes:
        subject: what was checked.
        level: whether it is fine, only worth a note, or something needed is missing.
        text: what was found, and what to do about it.
        quoted: what another program answered; shown, but not part of a report, since it may contain anything.
    """

    subject: str
    level: Level
    text: str
    quoted: str = ""


def python() -> Finding:
    """The interpreter."""
    return Finding("Python", Level.OK, f"{sys.version.split()[0]} at {sys.executable}")


def packages() -> Finding:
    """The Python packages that the engine declares, in the versions that it declares."""
    wrong = list(_wrong_packages())
    if wrong:
        return Finding(PACKAGES, Level.MISSING, f"{'; '.join(wrong)}. Run: pip install --upgrade nullsplat")
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("nullsplat", "torch"))
    return Finding(PACKAGES, Level.OK, ", ".join(versions))


def _wrong_packages() -> Iterator[str]:
    for line in importlib.metadata.requires("nullsplat") or []:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{requirement} is not installed"
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            yield f"{requirement} is needed, {installed} is installed"

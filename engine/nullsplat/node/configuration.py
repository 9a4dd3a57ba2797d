"""Locates Orthanc's configuration and the plugin, in a checkout or an installed package."""

import json
import re
from pathlib import Path
from typing import Any

from nullsplat.core.errors import ConfigurationError

_PACKAGE = Path(__file__).resolve().parents[1]
_CONFIGURATION, _PLUGIN = "orthanc-config", "plugin"
_TEXT_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)


def configuration_folder() -> Path:
    """The folder with Orthanc's configuration files.

    Raises:
        ConfigurationError: it is neither beside this package nor in it.
    """
    return _find(_CONFIGURATION)


def plugin_folder() -> Path:
    """The folder with the plugin that Orthanc loads.

    Raises:
        ConfigurationError: it is neither beside this package nor in it.
    """
    return _find(_PLUGIN)


def read_configuration(folder: Path) -> dict[str, Any]:
    """All configuration files of a folder as one, as Orthanc itself reads them.

    Variables like ${NAME} stay as they are; Orthanc replaces them.

    Raises:
        ConfigurationError: a file is not JSON (with comments), or a section appears in two files.
    """
    merged: dict[str, Any] = {}
    for path in sorted(folder.glob("*.json")):
        section = read_file(path)
        if twice := merged.keys() & section.keys():
            raise ConfigurationError(f"{path}: {', '.join(sorted(twice))} must appear in one file only")
        merged.update(section)
    return merged


def read_file(path: Path) -> dict[str, Any]:
    """One configuration file.

    Raises:
        ConfigurationError: it is not JSON (with comments), or not one object.
    """
    try:
        section = json.loads(_TEXT_OR_COMMENT.sub(_without_comment, path.read_text(encoding="utf-8-sig")))
    except ValueError as error:
        raise ConfigurationError(f"{path} must be JSON, comments allowed: {error}") from error
    if not isinstance(section, dict):
        raise ConfigurationError(f"{path} must hold one object {{...}}")
    return section


def overlay(configuration: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """The configuration updated by `overrides`: sections are merged, everything else is replaced."""
    merged = dict(configuration)
    for name, value in overrides.items():
        below = merged.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[name] = overlay(below, value) if both else value  # type: ignore[arg-type]  # checked in `both`
    return merged


def _find(name: str) -> Path:
    candidates = (_PACKAGE.parents[1] / name, _PACKAGE / "_node" / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise ConfigurationError(
        f"the folder {name!r} is needed, it is neither at {candidates[0]} nor at {candidates[1]}; "
        "install nullsplat from its wheel or work in a checkout"
    )


def _without_comment(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else " "

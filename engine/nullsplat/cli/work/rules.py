"""The rules of the Orthanc plugin, tried outside Orthanc.

There is one implementation of the rules, the plugin's, and it runs as a process of its own: the plugin is under
another licence and imports nothing of the engine, nor the engine of it. Here scans are only read for it.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from nullsplat.core.errors import ConfigurationError, NullSplatError, UnreadableFile
from nullsplat.dicom.headers import text
from nullsplat.dicom.read.files import read_headers
from nullsplat.node.configuration import configuration_folder, overlay, plugin_folder, read_configuration

PROGRAM = "nullsplat_rules.py"
REFUSED = 2
"""Exit code of the program when the rules file or the request cannot be used."""
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


@dataclass(frozen=True)
class Trial:
    """What `rules test` was asked for.

    Attributes:
        scan: an image, or a folder with images, also in its subfolders.
        rules: the rules file; None for the one that the configuration names, if it names one.
        config: folder of Orthanc's configuration; None for the shipped one, which knows no modalities.
    """

    scan: Path
    rules: Path | None = None
    config: Path | None = None
    called_aet: str = ""
    calling_aet: str = ""


def check_file(file: Path, config: Path | None = None) -> str:
    """What the rules file orders, in words.

    Raises:
        ConfigurationError: something in it is wrong; names file, line, rule and key.
    """
    return _run("check", {"configuration": _configuration(file, config)})


def try_rules(trial: Trial) -> str:
    """For each series of the scan: which rule takes it, why others do not, and what would be done.

    Raises:
        ConfigurationError: the rules file or the configuration is wrong.
        UnreadableFile: there is no DICOM image.
    """
    origin = {"called_aet": trial.called_aet, "calling_aet": trial.calling_aet}
    series = [
        {
            "label": f"series {uid or 'without UID'} in {folder}",
            "instances": [simplified_tags(one) for one in headers],
            **origin,
        }
        for (uid, folder), headers in _series(trial.scan).items()
    ]
    return _run("test", {"configuration": _configuration(trial.rules, trial.config), "series": series})


def simplified_tags(header: Dataset) -> dict[str, Any]:
    """The header's attributes as Orthanc shows them: keyword to text, or to a list of items."""
    shown: dict[str, Any] = {}
    for element in header:
        if element.VR == "SQ":
            shown[element.keyword] = [simplified_tags(item) for item in element.value]
        elif element.VR not in _BINARY and element.keyword:
            shown[element.keyword] = "\\".join(_texts(element.value))
    return shown


def _texts(value: Any) -> Iterable[str]:
    listed: Sequence[Any] = value if isinstance(value, (MultiValue, list)) else [value]
    return ("" if one is None else str(one) for one in listed)


def _series(scan: Path) -> dict[tuple[str, str], list[Dataset]]:
    """Headers by Series Instance UID and folder."""
    found: dict[tuple[str, str], list[Dataset]] = {}
    left_out = []
    for path in _files(scan):
        try:
            [(_, header)] = read_headers([path])
        except UnreadableFile as error:
            if scan.is_file():
                raise
            left_out.append(error)
            continue
        found.setdefault((text(header, "SeriesInstanceUID"), str(path.parent)), []).append(header)
    if not found:
        raise UnreadableFile(f"a DICOM image or a folder with some was needed, there is none in {scan}")
    if left_out:
        print(f"nullsplat: left out {len(left_out)} file(s), the first: {left_out[0]}", file=sys.stderr)
    return found


def _files(scan: Path) -> list[Path]:
    if scan.is_file():
        return [scan]
    if not scan.is_dir():
        raise UnreadableFile(f"a DICOM image or a folder was needed, {scan} does not exist")
    files = (path for path in scan.rglob("*") if path.is_file())
    return sorted(path for path in files if not path.name.startswith(".") and path.name.upper() != "DICOMDIR")


def _configuration(rules: Path | None, folder: Path | None) -> dict[str, Any]:
    """Orthanc's configuration with its variables replaced and the rules file put in."""
    if folder is not None and not folder.is_dir():
        raise ConfigurationError(f"--config must be a folder with Orthanc's configuration, {folder} is none")
    written = read_configuration(folder or configuration_folder())
    if folder is None:
        del written["DicomModalities"]  # the shipped one names none; what a node names is not known here
    configuration: dict[str, Any] = _expanded(written)
    if rules is None:
        return configuration
    return overlay(configuration, {"NullSplat": {"RulesFile": str(rules)}})


def _expanded(value: Any) -> Any:
    """The value with ${NAME} and ${NAME:-text} replaced in all texts, as Orthanc does."""
    if isinstance(value, dict):
        return {name: _expanded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_expanded(one) for one in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: os.environ.get(match[1], match[2] or ""), value)
    return value


def _run(command: str, request: dict[str, Any]) -> str:
    program = plugin_folder() / PROGRAM
    # -I: nothing of this environment or folder gets in; -B: nothing is written beside the installed plugin.
    done = subprocess.run(  # noqa: S603 - our own program, with arguments of our own
        [sys.executable, "-I", "-B", "-X", "utf8", str(program), command],
        input=json.dumps(request),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode == REFUSED:
        raise ConfigurationError(done.stderr.strip())
    if done.returncode != 0:
        raise NullSplatError(
            f"{program} must end with 0 or 2, it ended with {done.returncode}: {done.stderr.strip()}"
        )
    return done.stdout.rstrip("\n")

"""Locates Orthanc on this machine, and checks that its plugins are installed."""

import os
import shutil
import subprocess
from pathlib import Path

from nullsplat.core.errors import ConfigurationError

PLUGINS = Path("/usr/share/orthanc/plugins")
NEEDED = {
    "libOrthancPython.so": "orthanc-python",
    "libOrthancDicomWeb.so": "orthanc-dicomweb",
    "libOrthancWebViewer.so": "orthanc-webviewer",
}
COMMAND, PLUGIN_FOLDER = "NULLSPLAT_ORTHANC", "NULLSPLAT_ORTHANC_PLUGINS"
"""Environment variables: another Orthanc than the installed one, and its plugin folder."""


def installed_orthanc() -> Path:
    """The Orthanc binary, once all of Orthanc was found.

    NULLSPLAT_ORTHANC may name another one, such as a script that runs it in a chroot. Its plugins are then
    not looked for.

    Raises:
        ConfigurationError: something is missing; says what to install.
    """
    if named := os.environ.get(COMMAND):
        return _named_orthanc(named)
    found = shutil.which("Orthanc", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")
    missing = ["orthanc"] if found is None else []
    plugins = Path(os.environ.get(PLUGIN_FOLDER) or PLUGINS)
    missing += [package for library, package in NEEDED.items() if not (plugins / library).exists()]
    if found is None or missing:
        raise ConfigurationError(
            f"Orthanc with its plugins is needed, missing: {', '.join(missing)}; "
            f"on Debian 12: apt-get install {' '.join(missing)}"
        )
    return Path(found)


def _named_orthanc(named: str) -> Path:
    found = shutil.which(named)
    if found is None:
        raise ConfigurationError(f"{COMMAND} must name an executable program, {named!r} is none")
    return Path(found)


def orthanc_version() -> str:
    """The version that the installed Orthanc reports.

    Raises:
        ConfigurationError: Orthanc is not installed.
    """
    output = subprocess.run([installed_orthanc(), "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    return output.stdout.split("\n", 1)[0].strip()

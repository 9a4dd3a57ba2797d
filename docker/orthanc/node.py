"""What the Orthanc image runs: `start` becomes Orthanc, `healthy` tells by its exit code whether Orthanc answers.

Orthanc's configuration is three folders, each put over the one before it: the one that ships with NullSplat, what
differs in containers, and the site's own files (/etc/nullsplat/site/*.json; they may be missing).
"""

import base64
import json
import os
import ssl
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.private import read_secret
from nullsplat.node.configuration import overlay, read_configuration

BINARY = "Orthanc"
ROOT = Path("/etc/nullsplat")
LAYERS = ("orthanc-config", "container", "site")
FROM_FILE = ("NULLSPLAT_ADMIN_PASSWORD", "NULLSPLAT_ENGINE_PASSWORD")
"""Orthanc takes these from the environment. The plugin reads NULLSPLAT_SECRET_FILE itself."""


def main(arguments: list[str]) -> int:
    """Do what the first argument says; 1 when Orthanc is not healthy, 2 when something must be corrected."""
    actions = {"start": start, "healthy": healthy}
    if len(arguments) != 1 or arguments[0] not in actions:
        sys.stderr.write(f"nullsplat: say one of {', '.join(actions)}\n")
        return 2
    try:
        return actions[arguments[0]]()
    except ConfigurationError as error:
        sys.stderr.write(f"nullsplat: {error}\n")
        return 2


def start() -> int:
    """Become Orthanc; returns only when that is impossible."""
    environment = dict(os.environ)
    read_secrets(environment)
    descriptor, path = tempfile.mkstemp(prefix="orthanc-", suffix=".json")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(configuration(ROOT), file, indent=2)
    try:
        os.execvpe(BINARY, [BINARY, path], environment)  # noqa: S606 - replaces this process; there is no shell
    except FileNotFoundError:
        raise ConfigurationError(f"{BINARY} must be installed in this image") from None


def healthy() -> int:
    """Ask Orthanc for its description, with the password of its user `admin`."""
    environment = dict(os.environ)
    read_secrets(environment)
    settings = configuration(ROOT)
    scheme = "https" if settings.get("SslEnabled") else "http"
    url = f"{scheme}://127.0.0.1:{settings['HttpPort']}/system"
    token = base64.b64encode(f"admin:{environment.get(FROM_FILE[0], '')}".encode()).decode("ascii")
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {token}"})  # noqa: S310 - our own URL
    # The certificate is for the name by which others know this host; here it is its own loopback.
    context = ssl._create_unverified_context() if scheme == "https" else None  # noqa: S323
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=context)] if context else [])
    )
    try:
        with opener.open(request, timeout=8):
            return 0
    except (urllib.error.URLError, OSError) as error:
        sys.stderr.write(f"nullsplat: {url} must answer, but: {error}\n")
        return 1


def configuration(root: Path) -> dict[str, Any]:
    """Orthanc's configuration with all layers.

    Raises:
        ConfigurationError: a file is not JSON, or a section stands twice in one layer.
    """
    merged: dict[str, Any] = {}
    for layer in LAYERS:
        merged = overlay(merged, read_configuration(root / layer))
    return merged


def read_secrets(environment: MutableMapping[str, str]) -> None:
    """Give each password of FROM_FILE the content of the file that <NAME>_FILE names.

    Raises:
        ConfigurationError: both are set, or the file cannot be read or is empty.
    """
    for name in FROM_FILE:
        file = environment.pop(f"{name}_FILE", "")
        if not file:
            continue
        if environment.get(name):
            raise ConfigurationError(f"set either {name} or {name}_FILE, not both")
        environment[name] = read_secret(Path(file), f"{name}_FILE")
        if not environment[name]:
            raise ConfigurationError(f"{name}_FILE must name a file that holds a password, {file} is empty")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

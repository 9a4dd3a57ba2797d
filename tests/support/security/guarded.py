"""A node whose users have one role each, and the routes of its Orthanc."""

import json
import re
import subprocess
from base64 import b64encode
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.support.plugin.node import ADMIN, ENGINE, Node, running_node

from nullsplat.node.orthanc import installed_orthanc

NOWHERE = "-".join(["0123abcd"] * 5)
"""Has the form of Orthanc's identifiers."""
PASSWORD = "password-of-the-tests"
USERS = {
    "admin": ("admin", ADMIN),
    "engine": ("engine", ENGINE),
    **{name: (name, PASSWORD) for name in ("monitor", "reader", "ward", "guest")},
}
ROLES = {"admin": "administrator", "monitor": "metrics", "reader": "viewer", "ward": "operator"}
"""The guest has none."""


def guarded_node(folder: Path, stack: ExitStack) -> Node:
    """Start it; ended with `stack`."""
    registered = {"RegisteredUsers": dict.fromkeys(("monitor", "reader", "ward", "guest"), PASSWORD)}
    return running_node(folder, stack, registered, Roles=ROLES)


class RestDescription:
    """Orthanc's own description of its REST API; it takes ten seconds, so it is begun before it is needed."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._file = folder / "openapi.json"
        command = [str(installed_orthanc()), f"--openapi={self._file}"]
        self._process = stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        stack.callback(self._process.kill)

    def changing(self) -> list[tuple[str, str]]:
        """Method and path of everything that can be changed."""
        assert self._process.wait(60) == 0
        paths: dict[str, dict[str, Any]] = json.loads(self._file.read_text())["paths"]
        return [
            (method.upper(), re.sub(r"\{[^}]*\}", NOWHERE, path))
            for path, methods in sorted(paths.items())
            for method in methods
            if method != "get"
        ]


def answer(
    node: Node, method: str, path: str, user: str = "admin", body: bytes = b"", **headers: str
) -> tuple[int, str]:
    """Status and text of Orthanc's answer, on a connection of its own."""
    token = b64encode(":".join(USERS[user]).encode()).decode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = HTTPConnection("127.0.0.1", node.orthanc.http_port, timeout=60)
    try:
        connection.request(method, path, body, {"Authorization": f"Basic {token}", **given})
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    finally:
        connection.close()

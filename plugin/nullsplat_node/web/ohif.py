# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages of the OHIF viewer, /ohif/..., when `make viewer` has fetched it.

OHIF is one page with many addresses. Orthanc's ServeFolders serves the files, below /ohif-app, but answers 404 for
addresses that are no file; so the plugin answers those with the page. The two must not share a prefix: Orthanc asks
whichever plugin it loaded first, and that order is the file system's.
"""

from __future__ import annotations

import pathlib
from typing import Any, Dict, Mapping, Optional

from nullsplat_node.work.context import Log

_EXPLORER = pathlib.Path(__file__).resolve().parent / "explorer_ohif.js"
ASSETS = "/ohif-app"
PROTOCOL = b"id: 'nullsplat', name: 'Source and super-resolved'"
"""In OHIF's configuration, see scripts/viewer.config.js."""
PAGE_ROUTE = r"/ohif(?:/[A-Za-z0-9/_-]*)?"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' blob: data:; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Sent with every page: the browser refuses whatever OHIF would load from elsewhere."""


def read_page(configuration: Mapping[str, Any], log: Log) -> bytes:
    """Return OHIF's page, empty when there is no OHIF to serve; logs it where ServeFolders names one."""
    folder = assets_folder(configuration)
    if folder is None:
        return b""
    try:
        return (folder / "index.html").read_bytes()
    except OSError as error:
        log.error(
            f"NullSplat: there is no OHIF viewer at {folder} ({error.strerror}): make viewer fetches it"
        )
        return b""


def explorer_extension() -> str:
    """Return the script that leads from Orthanc Explorer to OHIF."""
    return _EXPLORER.read_text(encoding="utf-8")


def is_there(configuration: Mapping[str, Any]) -> bool:
    """Return whether /ohif leads to OHIF: ours, or one that is served there in another way."""
    folder = assets_folder(configuration)
    return "ohif" in served_folders(configuration) or (
        folder is not None and (folder / "index.html").is_file()
    )


def hangs_side_by_side(configuration: Mapping[str, Any]) -> bool:
    """Return whether /ohif leads to an OHIF whose configuration has the hanging protocol for source and result.

    One of another version, or one served in another way, would fail at the name of an unknown protocol.
    """
    folder = assets_folder(configuration)
    try:
        return folder is not None and PROTOCOL in (folder / "app-config.js").read_bytes()
    except OSError:
        return False


def assets_folder(configuration: Mapping[str, Any]) -> Optional[pathlib.Path]:
    """Return the folder that ServeFolders serves as `ASSETS`."""
    folder = served_folders(configuration).get(ASSETS.strip("/"))
    return pathlib.Path(folder) if isinstance(folder, str) else None


def served_folders(configuration: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what ServeFolders serves, by path without slashes; its section has a short and a long form."""
    section = configuration.get("ServeFolders")
    folders = section.get("Folders", section) if isinstance(section, dict) else {}
    return (
        {str(path).strip("/"): folder for path, folder in folders.items()}
        if isinstance(folders, dict)
        else {}
    )


def send_page(output: Any, request: Mapping[str, Any], page: bytes) -> None:
    """Write the page to Orthanc's REST output; its scripts read the address that it was asked by."""
    if request["method"] != "GET":
        output.SendMethodNotAllowed("GET")
        return
    for name, value in HEADERS.items():
        output.SetHttpHeader(name, value)
    output.AnswerBuffer(page, "text/html; charset=utf-8")

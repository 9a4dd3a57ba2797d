# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files for the browser: the status page /nullsplat/ui, and what is added to Orthanc Explorer.

Orthanc drops a slash at the end of a path before it asks, so /nullsplat/ui and /nullsplat/ui/ look the same here
though a browser resolves relative addresses differently. Both end at index.html, and no address is absolute: the
node may be behind a proxy that serves it under a prefix.
"""

from __future__ import annotations

import pathlib
from typing import Any, Mapping

from nullsplat_node.web.assets import is_current, read_assets

_EXPLORER = pathlib.Path(__file__).resolve().parent / "explorer.js"
_ASSETS = read_assets()

ASSET_ROUTE = r"/nullsplat/ui/((?:compare/)?[A-Za-z0-9_.-]+)"
REDIRECTS = {
    "/nullsplat/ui": "ui/index.html",
    "/nullsplat/ui/ui/index.html": "../index.html",
    "/nullsplat/page.html": "ui/index.html",
}
"""Redirects: path to a relative target; page.html is where the page was in version 0.1."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Sent with every file: nothing is loaded from elsewhere, and files are revalidated so that an update is seen at once."""


def explorer_extension() -> str:
    """Return the script that is added to Orthanc Explorer."""
    return _EXPLORER.read_text(encoding="utf-8")


def send_asset(output: Any, request: Mapping[str, Any]) -> None:
    """Write a file of the status page to Orthanc's REST output."""
    asset = _ASSETS.get(request["groups"][0])
    if request["method"] != "GET":
        output.SendMethodNotAllowed("GET")
        return
    if asset is None:
        output.SendHttpStatusCode(404)
        return
    for name, value in HEADERS.items():
        output.SetHttpHeader(name, value)
    output.SetHttpHeader("ETag", asset.tag)
    if is_current(asset, request.get("headers", {}).get("if-none-match")):
        output.SendHttpStatusCode(304)
        return
    output.AnswerBuffer(asset.content, asset.kind)


def redirect(output: Any, uri: str) -> None:
    """Send the browser on to the page."""
    output.Redirect(REDIRECTS[uri])

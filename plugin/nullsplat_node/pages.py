# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files for the browser: the status page, and what is added to Orthanc Explorer."""

from __future__ import annotations

import pathlib
from typing import Any

_FOLDER = pathlib.Path(__file__).resolve().parent
_KINDS = {"page.html": "text/html; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}

PAGE_ROUTE = r"/nullsplat/(page\.html|page\.js)"
POLICY = "default-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
"""Content security policy of the status page: nothing from elsewhere."""


def explorer_extension() -> str:
    """Return the script that is added to Orthanc Explorer."""
    return _read("explorer.js")


def send_page(output: Any, name: str) -> None:
    """Write a file of the status page to Orthanc's REST output."""
    output.SetHttpHeader("Content-Security-Policy", POLICY)
    output.SetHttpHeader("Cache-Control", "no-cache")
    output.AnswerBuffer(_read(name), _KINDS[name])


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")

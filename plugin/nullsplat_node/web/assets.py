# SPDX-License-Identifier: AGPL-3.0-or-later
"""The files of the status page, read once: a request can only name one of them, not a path."""

from __future__ import annotations

import hashlib
import pathlib
import re
from dataclasses import dataclass
from typing import Dict, Optional

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "ui"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served, by the file name's suffix; nothing else in the folder is."""


@dataclass(frozen=True)
class Asset:
    """One file.

    Attributes:
        kind: its MIME type.
        tag: its entity tag, with quotes; changes with the content.
    """

    content: bytes
    kind: str
    tag: str


def read_assets(folder: pathlib.Path = FOLDER) -> Dict[str, Asset]:
    """Return the files by name; those of a folder in it with that folder's name and a slash before it."""
    return {
        path.relative_to(folder).as_posix(): _asset(path)
        for path in sorted([*folder.glob("*"), *folder.glob("*/*")])
        if path.suffix in KINDS and path.is_file()
    }


def _asset(path: pathlib.Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, KINDS[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def is_current(asset: Asset, if_none_match: Optional[str]) -> bool:
    """Return whether the browser has this content already.

    Source: RFC 9110, 13.1.2; the comparison is the weak one.
    """
    given = re.findall(r'\*|(?:W/)?("[^"]*")', if_none_match or "")
    return asset.tag in given or (if_none_match or "").strip() == "*"

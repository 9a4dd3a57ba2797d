# SPDX-License-Identifier: AGPL-3.0-or-later
"""Detects cross-site requests, which a browser sends with the password that it remembers.

A browser states by `Sec-Fetch-Site` (W3C Fetch Metadata) where a request comes from, but only over https and to its own
machine; with anything but a GET it sends `Origin` (RFC 6454) besides. A GET of a browser that Orthanc takes for a
DELETE (`?_method=DELETE`) may carry neither, so a browser that sends neither is refused. Programs send none of
these headers.
"""

from __future__ import annotations

from typing import FrozenSet, Mapping, Set
from urllib.parse import urlsplit


def from_elsewhere(headers: Mapping[str, str], trusted: FrozenSet[str]) -> bool:
    """Return whether a request that changes something comes from a page that is not the node's own.

    Args:
        headers: of the request, names in lower case.
        trusted: other origins whose pages count as the node's, like https://portal.example.
    """
    source, site = _source(headers), headers.get("sec-fetch-site", "")
    if source in trusted:
        return False
    if site:
        return site not in ("same-origin", "none") or _is_followed_link(site, headers)
    if source:
        return _authority(source) not in _own_names(headers)
    return _is_browser(headers)


def _source(headers: Mapping[str, str]) -> str:
    """Return the origin of the requesting page, `null` where the browser hides it, empty without such a header."""
    if "origin" in headers:
        return headers["origin"].lower()
    referer = headers.get("referer", "").lower()
    return f"{referer.partition(':')[0]}://{_authority(referer)}" if referer else ""


def _authority(address: str) -> str:
    """Return host and port, empty for a malformed origin."""
    try:
        return urlsplit(address).netloc
    except ValueError:  # such as http://[
        return ""


def _own_names(headers: Mapping[str, str]) -> Set[str]:
    forwarded = headers.get("x-forwarded-host", "").partition(",")[0].strip()
    return {name.lower() for name in (headers.get("host", ""), forwarded) if name}


def _is_followed_link(site: str, headers: Mapping[str, str]) -> bool:
    """Return whether this is an address that was typed, or followed from a mail: that is never meant to delete."""
    return site == "none" and headers.get("sec-fetch-mode") == "navigate"


def _is_browser(headers: Mapping[str, str]) -> bool:
    """PowerShell calls itself Mozilla as well, and Node.js sends a language; only browsers do both."""
    return "accept-language" in headers and headers.get("user-agent", "").startswith("Mozilla/")

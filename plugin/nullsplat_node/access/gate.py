# SPDX-License-Identifier: AGPL-3.0-or-later
"""Admits or refuses requests to Orthanc and this plugin, by user and origin.

Orthanc checks the password before it asks this filter, but plugin 4.0 does not pass on the user; the name is
taken from the same Authorization header that Orthanc compared.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import FrozenSet, Mapping, Optional

from nullsplat_node.access.cross_site import from_elsewhere
from nullsplat_node.access.roles import ADMINISTRATOR, ENGINE, Roles, may, needed

LARGEST_QUESTION = 4 * 2**20
"""Bytes. Orthanc allocates as much memory as a request announces, before receiving it."""
STORING = (ENGINE, ADMINISTRATOR)
"""Roles that send images."""
EXPANDED = "expand"
"""The argument by which Orthanc lists not only names, but all details."""
_NONE: Mapping[str, str] = {}
METHODS = {1: "GET", 2: "POST", 3: "PUT", 4: "DELETE"}
"""OrthancPluginHttpMethod, as the filter is told the method."""


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused: `code` for machines, the message for people."""

    code: str
    message: str


def user_of(headers: Mapping[str, str]) -> str:
    """Return the user name of HTTP Basic authentication, empty when there is none."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials).decode("utf-8", "replace").partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


@dataclass(frozen=True)
class Gate:
    """Admits or refuses requests.

    Attributes:
        roles: who may do what.
        trusted: origins of other sites' pages that may change something.
    """

    roles: Roles
    trusted: FrozenSet[str]

    def refusal(
        self, method: str, uri: str, headers: Mapping[str, str], query: Mapping[str, str] = _NONE
    ) -> Optional[Refusal]:
        """Return why the request is refused, None when it is admitted.

        Args:
            method: of HTTP; any that is not known needs an administrator.
            uri: path without query.
            query: the arguments after the path.
        """
        if method != "GET" and from_elsewhere(headers, self.trusted):
            return Refusal(
                "cross-site",
                "a page of another site sent this request with the password that the browser remembers; use the node's own "
                "pages or a program, or let NullSplat.TrustedOrigins name that site",
            )
        user, path = user_of(headers), normal(uri)
        role, expanded = self.roles.of(user), EXPANDED in query
        if not may(role, method, path, expanded):
            least = needed(method, path, expanded)
            return _forbidden(f"{method} {shown(path)}{f'?{EXPANDED}' * expanded}", least, user, role)
        return None if role in STORING or _announced(headers) <= LARGEST_QUESTION else _TOO_LARGE


_TOO_LARGE = Refusal(
    "too-large",
    f"a search or an action may have {LARGEST_QUESTION} bytes at most, this one announces more; only those who store images "
    "may send more",
)


def _announced(headers: Mapping[str, str]) -> int:
    length = headers.get("content-length", "0")
    return int(length) if re.fullmatch("[0-9]{1,15}", length) else LARGEST_QUESTION + 1


def _forbidden(request: str, least: str, user: str, role: str) -> Refusal:
    who = f"the user {user!r} has the role {role}" if user else f"without a user's name the role is {role}"
    return Refusal(
        "forbidden",
        f"{request} needs the role {least}; {who} (NullSplat.Roles in Orthanc's configuration)",
    )


def normal(uri: str) -> str:
    """Return a path as Orthanc takes it apart: slashes are single, and none is at the end."""
    return "/" + "/".join(part for part in uri.split("/") if part)


def shown(path: str) -> str:
    """Return a path without identifiers: of its parts only plain words are kept."""
    return "/".join(part if re.fullmatch("[a-z-]{0,30}", part) else "..." for part in path.split("/"))

# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each user of Orthanc may do over HTTP, by role.

A role allows what it lists and refuses everything else, so that a route that a later Orthanc or another plugin brings
is closed to all but administrators as soon as it changes something.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping

from nullsplat_node.checks import SettingsError, choice

METRICS, VIEWER, OPERATOR, ENGINE, ADMINISTRATOR = "metrics", "viewer", "operator", "engine", "administrator"
ROLES = (METRICS, VIEWER, OPERATOR, ENGINE, ADMINISTRATOR)
BY_DEFAULT = {"admin": ADMINISTRATOR}
"""The user that the shipped configuration registers for administrators."""

_FIGURES = re.compile(r"/nullsplat/metrics|/tools/metrics-prometheus")
_DICOMWEB = re.compile(r"/dicom-web/(studies|series|instances)(/.*)?")
"""Images only: /dicom-web/servers/ would let the engine send them anywhere."""
_PARTNERS = re.compile(r"/(peers|modalities|dicom-web/servers)/.+")
"""How other nodes are reached, perhaps with passwords; some of these routes ask the other node."""
_SEARCHES = re.compile(r"/tools/(find|lookup|bulk-content|count-resources)")
"""Reading, though by POST: the query is in the body."""
_ACTIONS = re.compile(r"/nullsplat/(queue|series/[0-9a-f-]{44})")


def may(role: str, method: str, uri: str, expanded: bool = False) -> bool:
    """Return whether a role may send a request.

    Args:
        method: of HTTP, as Orthanc understood it: also where a GET asks to be taken for another one.
        uri: path without query, with single slashes and none at its end.
        expanded: of a list, Orthanc is asked to show what stands below each of its names.
    """
    if role == ADMINISTRATOR:
        return True
    if role == ENGINE:
        return method in ("GET", "POST") and _DICOMWEB.fullmatch(uri) is not None
    if method == "GET" and _FIGURES.fullmatch(uri):
        return True
    if role == METRICS:
        return False
    return _reads(method, uri, expanded) or (
        role == OPERATOR and method == "POST" and bool(_ACTIONS.fullmatch(uri))
    )


def needed(method: str, uri: str, expanded: bool = False) -> str:
    """Return the least role that may send a request."""
    return next(
        role for role in (METRICS, VIEWER, OPERATOR, ADMINISTRATOR) if may(role, method, uri, expanded)
    )  # the last one may do everything


def _reads(method: str, uri: str, expanded: bool) -> bool:
    if method == "GET":
        return _PARTNERS.fullmatch(f"{uri}/*" if expanded else uri) is None
    return method == "POST" and _SEARCHES.fullmatch(uri) is not None


@dataclass(frozen=True)
class Roles:
    """Who has which role.

    Attributes:
        by_user: roles by the users' names.
        others: the role of all other users.
    """

    by_user: Mapping[str, str]
    others: str

    def of(self, user: str) -> str:
        """Return the role of a user; the name is empty where Orthanc asked for no password."""
        return self.by_user.get(user, self.others)


def check_roles(name: str, value: Any) -> Dict[str, str]:
    """Check for a section of users and their roles."""
    if not isinstance(value, dict):
        raise SettingsError(f'{name} must be a section {{"user": "role"}}, got {value!r}')
    return {user: choice(ROLES)(f"{name}.{user}", role) for user, role in value.items()}


def assign(given: Mapping[str, str], engine_user: str, configuration: Mapping[str, Any]) -> Roles:
    """Return the roles that the configuration gives.

    Args:
        given: section NullSplat.Roles.
        engine_user: who has the role `engine` without being listed.
        configuration: Orthanc's.
    Raises:
        SettingsError: a user that is not registered has a role, or the engine's user another one than `engine`; or
            there are roles, and Orthanc asks for no password.
    """
    explicit = "Roles" in configuration.get("NullSplat", {})
    if explicit and not asks_for_passwords(configuration):
        raise SettingsError(
            "NullSplat.Roles needs AuthenticationEnabled true: without passwords users cannot be told apart. "
            "Set it, or remove Roles; everyone who can reach Orthanc is an administrator then"
        )
    if explicit:
        _check_users(given, engine_user, configuration.get("RegisteredUsers", {}))
    others = VIEWER if asks_for_passwords(configuration) else ADMINISTRATOR
    return Roles({**given, engine_user: ENGINE}, others)


def asks_for_passwords(configuration: Mapping[str, Any]) -> bool:
    """Return whether Orthanc lets in registered users only; by default it does where others may reach it."""
    required = configuration.get("AuthenticationEnabled")
    return bool(configuration.get("RemoteAccessAllowed", False) if required is None else required)


def _check_users(given: Mapping[str, str], engine_user: str, registered: Mapping[str, Any]) -> None:
    for user in given:
        if user not in registered:
            raise SettingsError(
                f"NullSplat.Roles names {user!r}, who is not among RegisteredUsers ({', '.join(registered)}); "
                "correct the name, or remove it"
            )
    if given.get(engine_user, ENGINE) != ENGINE:
        raise SettingsError(
            f"NullSplat.Roles gives {engine_user!r} the role {given[engine_user]!r}, but NullSplat.EngineUser names that "
            "user, whose role is engine; remove one of them"
        )

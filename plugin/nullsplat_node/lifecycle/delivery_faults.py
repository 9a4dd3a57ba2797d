# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which failed stores are permanent until the configuration changes, and what to change.

What Orthanc says was looked up in its version 1.10 with peers that refuse in each of these ways.
"""

from __future__ import annotations

import re

from nullsplat_node.lifecycle.routing import Route

NO_PRESENTATION_CONTEXT = 2015
"""Orthanc's error code when the peer accepts nothing of what was proposed."""
NOT_NEGOTIATED = ("Cannot transcode", "presentation context")
"""Words of Orthanc when the peer accepts something, but not this SOP Class or none of its transfer syntaxes."""
SOP_CLASS_NOT_SUPPORTED, NOT_AUTHORIZED, OTHER_SOP_CLASS = 0x0122, 0x0124, range(0xA900, 0xAA00)
"""C-STORE statuses (PS3.4 B.2.3, PS3.7 annex C) that repeating does not change.

0xA7xx, out of resources, passes; 0x0110 and 0xCxxx are used for all sorts of things, also by full disks.
"""


def cure(code: int, error: str, route: Route, commits: bool = False) -> str:
    """Return what must be changed before a failed store can succeed; empty when a retry may succeed.

    Args:
        code: Orthanc's error code of the job.
        error: Orthanc's words.
        route: what was to be sent where.
        commits: storage commitment was to be asked for after it; Orthanc fails alike when that is not accepted.
    """
    if code == NO_PRESENTATION_CONTEXT and commits:
        return (
            f"{_to_accept(route)}; or have it accept requests for storage commitment, or remove it from StorageCommitment; "
            "then send again"
        )
    if code == NO_PRESENTATION_CONTEXT or any(words in error for words in NOT_NEGOTIATED):
        return f"{_to_accept(route)}, then send again"
    return cure_of_status(_status(error), route)


def cure_of_status(status: int, route: Route) -> str:
    """Return what must be changed after this status of C-STORE, or Failure Reason of STOW-RS; empty for nothing."""
    if status == NOT_AUTHORIZED:
        return f"have {route.destination} accept images from this node, then send again"
    if status == SOP_CLASS_NOT_SUPPORTED or status in OTHER_SOP_CLASS:
        return f"{_to_accept(route)}, then send again"
    return ""


def _to_accept(route: Route) -> str:
    if route.what:
        return (
            f"have {route.destination} accept {route.what} (its SOP Class and transfer syntax), or set SendFurther to "
            "false, which sends the images alone"
        )
    return (
        f"have {route.destination} accept CT images in the transfer syntax that they have, which "
        "NULLSPLAT_TRANSFER_SYNTAX sets at the engine"
    )


def _status(error: str) -> int:
    found = re.search(r"DIMSE status 0x([0-9a-fA-F]{4})", error)
    return int(found.group(1), 16) if found else 0

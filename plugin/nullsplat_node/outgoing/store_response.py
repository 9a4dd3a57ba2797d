# SPDX-License-Identifier: AGPL-3.0-or-later
"""Interprets a DICOMweb server's response to STOW-RS (PS3.18 10.5.3); pure.

Only an answer that names an instance counts as its confirmation. One that the server has already counts as stored:
NullSplat never writes different content under a UID that it has used.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Any, Collection, FrozenSet, List, Mapping, Tuple

from nullsplat_node.lifecycle.delivery_faults import cure_of_status
from nullsplat_node.lifecycle.routing import Outcome, Route
from nullsplat_node.shallow_json import loads

STORED, FAILED = "00081199", "00081198"
SOP_INSTANCE_UID, FAILURE_REASON = "00081155", "00081197"
DUPLICATE = frozenset({0x0111, 0xB00E})
"""Failure Reasons of instances that exist already: PS3.7 C.5.7, and that of Azure's DICOM service."""
SYNTAX_NOT_SUPPORTED = 0xC122
"""PS3.18 table I.2-2: Referenced Transfer Syntax not supported."""
ANSWERS_WITH_DETAILS = frozenset({http.client.OK, http.client.ACCEPTED, http.client.CONFLICT})


@dataclass(frozen=True)
class StoreResponse:
    """The instances that a server confirmed, and the Failure Reasons of the others."""

    stored: FrozenSet[str]
    reasons: Tuple[int, ...]


def judged(status: int, body: bytes, sent: Collection[str], route: Route) -> Outcome:
    """Return what became of the instances with these SOP Instance UIDs; no text of the answer is quoted."""
    if status not in ANSWERS_WITH_DETAILS:
        return refusal(status, route)
    found = _read(body)
    missing = len(set(sent) - found.stored)
    if not missing:
        return Outcome(done=True)
    if not found.reasons:
        return Outcome(
            error=f"HTTP {status}, without a confirmation of {missing} of {len(sent)} instances in DICOM JSON"
        )
    reasons = ", ".join(f"0x{reason:04X}" for reason in sorted(set(found.reasons)))
    cures = [cure for cure in (_cure(reason, route) for reason in found.reasons) if cure]
    words = f"HTTP {status}, {missing} of {len(sent)} instances were not stored, Failure Reason {reasons}"
    return Outcome(error=words, cure=cures[0] if cures else "")


def _cure(reason: int, route: Route) -> str:
    return cure_of_status(0x0122 if reason == SYNTAX_NOT_SUPPORTED else reason, route)


def refusal(status: int, route: Route) -> Outcome:
    """Return the outcome of an answer that refuses the whole request; permanent errors are not retried."""
    error, to = f"HTTP {status}", route.destination
    if 300 <= status < 400:
        cure = f"a redirect is not followed; set the Url of {to} to the address that it leads to, then send again"
    elif status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        cure = f"correct the credentials for {to}, or have it accept what this node sends, then send again"
    elif status in (400, 405, 406, 411, 413, 415, 422):
        cure = f"look at the log of {to} for what it does not accept, and check its Url, then send again"
    else:
        cure = ""
    return Outcome(error=error, cure=cure)


def _read(body: bytes) -> StoreResponse:
    try:
        answer = loads(body)
    except ValueError:
        answer = {}
    if isinstance(answer, list) and len(answer) == 1:  # as some servers send it
        answer = answer[0]
    failed = _items(answer, FAILED)
    there = [*_items(answer, STORED), *(item for item in failed if _reason(item) in DUPLICATE)]
    reasons = tuple(_reason(item) for item in failed if _reason(item) not in DUPLICATE)
    return StoreResponse(frozenset(str(_value(item, SOP_INSTANCE_UID)) for item in there), reasons)


def _items(answer: Any, tag: str) -> List[Mapping[str, Any]]:
    values = _values(answer, tag)
    return [item for item in values if isinstance(item, dict)]


def _values(item: Any, tag: str) -> List[Any]:
    element = item.get(tag) if isinstance(item, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _value(item: Mapping[str, Any], tag: str) -> Any:
    return next(iter(_values(item, tag)), None)


def _reason(item: Mapping[str, Any]) -> int:
    """Return the Failure Reason, 0 where there is no valid one."""
    reason = _value(item, FAILURE_REASON)
    return reason if isinstance(reason, int) and not isinstance(reason, bool) and 0 <= reason <= 0xFFFF else 0

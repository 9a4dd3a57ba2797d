# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the status page shows: pure functions from states to JSON; no patient data, no secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from nullsplat_node.lifecycle.actions import possible
from nullsplat_node.lifecycle.reconciler import Contact
from nullsplat_node.lifecycle.state import (
    CANCELLED,
    DONE,
    FAILED,
    HELD,
    IN_WORK,
    INELIGIBLE,
    PHASES,
    RESULT,
    ROUTING,
    UNDELIVERED,
    SeriesState,
)
from nullsplat_node.views.series import brief, iso

LONGEST_LIST = 500
"""Series sent to the page at once, no more than `census.MOST`; its filter by state is applied before that."""

IN_PROGRESS, TO_LOOK_AT, FINISHED, NOT_TAKEN, RESULTS = (
    "in-progress",
    "to-look-at",
    "finished",
    "not-taken",
    "results",
)
GROUPS = {
    IN_PROGRESS: IN_WORK | {ROUTING},
    TO_LOOK_AT: frozenset({FAILED, HELD, UNDELIVERED}),
    FINISHED: frozenset({DONE, CANCELLED}),
    NOT_TAKEN: frozenset({INELIGIBLE}),
    RESULTS: frozenset({RESULT}),
}
"""The filters of the page: name to phases. Every phase is in exactly one."""

_URGENCY = {phase: rank for rank, group in enumerate(GROUPS.values()) for phase in group}


@dataclass(frozen=True)
class EngineSeen:
    """The engine at the last contact.

    Attributes:
        info: `engine_info` of the contract; empty before the first contact.
        checks: its own checks, by name: `ok`, or what is wrong.
        error: why the last contact failed, empty when it did not.
        answered_at, unreachable_since: seconds since the epoch, None when never.
    """

    url: str
    info: Mapping[str, Any]
    checks: Mapping[str, str]
    error: str = ""
    answered_at: Optional[float] = None
    unreachable_since: Optional[float] = None


def engine_shown(seen: EngineSeen) -> Dict[str, Any]:
    """Return the engine's part of the page."""
    shown: Dict[str, Any] = {
        "url": seen.url,
        "reachable": bool(seen.info) and not seen.error,
        "trouble": seen.error,
        "answered_at": _iso(seen.answered_at),
        "away_since": _iso(seen.unreachable_since),
        "checks": [
            {"name": name, "ok": outcome == "ok", "text": outcome}
            for name, outcome in sorted(seen.checks.items())
        ],
    }
    for name in ("version", "model", "presets", "queue", "paused_since", "workers"):
        if name in seen.info:
            shown[name] = seen.info[name]
    return shown


def counts_shown(counted: Mapping[str, int]) -> Dict[str, Any]:
    """Return how many series there are in each group and in each phase, out of those in each phase that has any."""
    phases = {phase: counted.get(phase, 0) for phase in PHASES}
    return {
        "all": sum(phases.values()),
        "groups": {name: sum(phases[phase] for phase in group) for name, group in GROUPS.items()},
        "phases": phases,
    }


def queue_shown(
    states: Mapping[str, SeriesState],
    contact: Callable[[str], Contact],
    now: float,
    left_out: int = 0,
    longest: int = LONGEST_LIST,
) -> Dict[str, Any]:
    """Return the rows of the queue: series in progress first, then those that need a person, each with the latest first.

    Args:
        states: the latest of each phase that is asked for, by Orthanc's series identifier.
        contact: the contact with the engine for a series.
        left_out: how many more there are.
    """
    chosen = sorted(states.items(), key=_urgency)
    rows = [row(series, state, contact(series), now) for series, state in chosen[:longest]]
    return {"rows": rows, "omitted": left_out + max(0, len(chosen) - longest)}


def with_others(
    queue: Mapping[str, Any], others: Mapping[str, Tuple[SeriesState, Contact]], now: float
) -> Dict[str, Any]:
    """Return the queue with the series that somebody else has ordered at the engine, first, and without actions.

    Each is in place of its own row, unless it is in progress here too.

    Args:
        queue: as `queue_shown` returns it.
        others: what is known of each, by Orthanc's series identifier.
    """
    busy = {one["series"] for one in queue["rows"] if one["group"] == IN_PROGRESS}
    first = [
        {**row(series, state, contact, now), "actions": [], "movable": False}
        for series, (state, contact) in others.items()
        if series not in busy
    ]
    instead = {one["series"] for one in first}
    return {**queue, "rows": first + [one for one in queue["rows"] if one["series"] not in instead]}


def row(series: str, state: SeriesState, contact: Contact, now: float) -> Dict[str, Any]:
    """Return one series as a line of the queue."""
    shown = {"series": series, **brief(state, contact), "actions": list(possible(state))}
    shown["group"] = next(name for name, group in GROUPS.items() if state.phase in group)
    shown["age_seconds"] = max(0, int(now - state.since))
    if state.request:
        shown["attempt"] = state.attempt
        shown["priority"] = state.request.get("priority", "normal")
    if state.result and state.result.series:
        shown["derived"] = state.result.series
    if state.source:
        shown["source"] = state.source
    return shown


def _urgency(item: Tuple[str, SeriesState]) -> Tuple[int, float, str]:
    return _URGENCY[item[1].phase], -item[1].since, item[0]


_KINDS = (
    ("taken as attempt", "taken"),
    ("not taken", "refused"),
    ("submitted to", "handed-over"),
    ("handed over", "handed-over"),  # as earlier versions wrote it
    ("the engine has finished", "computed"),
    ("the result is here", "stored"),
    ("held back: ", "held"),
    ("marked: ", "marked"),
    ("delivered: ", "delivered"),
    ("abandoned: ", "abandoned"),
    ("refused: ", "undelivered"),
    ("given-up: ", "undelivered"),
    ("failed: ", "failed"),
    ("released by a person", "released"),
    ("cancelled", "cancelled"),
)
"""How entries of the history begin (`transitions` writes them), and what they are."""


def kind_of(words: str) -> str:
    """Return the kind of event that an entry of the history is; `note` for any other."""
    return next((kind for beginning, kind in _KINDS if words.startswith(beginning)), "note")


def by_attempt(history: Iterable[Tuple[float, str]]) -> List[Dict[str, Any]]:
    """Return the history by attempt, oldest first."""
    made: List[Dict[str, Any]] = []
    for time, words in history:
        kind = kind_of(words)
        if kind == "taken" or not made:
            made.append({"attempt": _number(words) if kind == "taken" else None, "events": []})
        made[-1]["events"].append({"time": iso(time), "kind": kind, "text": words})
    return made


def _number(words: str) -> Optional[int]:
    digits = words[len("taken as attempt") :].partition(":")[0].strip()
    return int(digits) if digits.isdigit() else None


def deliveries(state: SeriesState) -> List[Dict[str, Any]]:
    """Return where the result goes, and when it arrived there, as far as the history goes back."""
    arrived = {words: time for time, words in state.history}
    return [
        {
            "destination": route.name,
            "state": route.phase,
            "tries": route.tries,
            "error": route.error,
            "time": _iso(arrived.get(f"{route.phase}: {route.name}")),
            "next_try": _iso(route.next_try or None) if route.phase == "waiting" else None,
        }
        for route in state.routes
    ]


def viewers(plugins: Iterable[str], ohif_is_served: bool, side_by_side: bool = False) -> Dict[str, bool]:
    """Return which viewers Orthanc has beside its own Explorer.

    Args:
        plugins: what Orthanc's /plugins lists.
        ohif_is_served: OHIF need not be a plugin; see `ohif`.
        side_by_side: OHIF has the hanging protocol for source and result.
    """
    there = set(plugins)
    return {
        "explorer2": "orthanc-explorer-2" in there,
        "web_viewer": "web-viewer" in there,
        "stone": "stone-webviewer" in there,
        "ohif": "ohif" in there or ohif_is_served,
        "ohif_side_by_side": side_by_side,
    }


def _iso(time: Optional[float]) -> Optional[str]:
    return None if time is None else iso(time)

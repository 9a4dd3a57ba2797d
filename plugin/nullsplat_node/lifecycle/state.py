# SPDX-License-Identifier: AGPL-3.0-or-later
"""The state of a series, and its JSON form in the series metadata.

Nothing else is stored anywhere: Orthanc may be killed at any time and resumes from here.

    ineligible   refused, with a reason
    pending      taken; the engine has not confirmed the job yet
    running      the engine has the job
    succeeded    the engine says that the result is stored; not checked yet
    routing      the result is here and on its way to the destinations
    done         the result is here and delivered wherever it should go
    held         the result is here, but goes beyond what its rule lets pass; a person must pass it on
    undelivered  the result is here, but a destination did not take all of it; needs a person
    failed       given up (or, with `retry_at`, to be tried again as a new attempt)
    cancelled    a person stopped it
    result       this series is itself a result of NullSplat
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

from nullsplat_node.lifecycle.annotations import misfits_of
from nullsplat_node.lifecycle.routing import PHASES as ROUTE_PHASES
from nullsplat_node.lifecycle.routing import Route
from nullsplat_node.shallow_json import loads

FORMAT = 1
INELIGIBLE, PENDING, RUNNING, SUCCEEDED = "ineligible", "pending", "running", "succeeded"
ROUTING, DONE, FAILED, CANCELLED, RESULT = "routing", "done", "failed", "cancelled", "result"
UNDELIVERED, HELD = "undelivered", "held"
MARKED = "marked"
"""Code of a result that exceeds its rule's limits for a mark, or that a person passed on nevertheless."""
PHASES = (
    PENDING,
    RUNNING,
    SUCCEEDED,
    ROUTING,
    DONE,
    HELD,
    UNDELIVERED,
    FAILED,
    CANCELLED,
    INELIGIBLE,
    RESULT,
)
IN_WORK = frozenset({PENDING, RUNNING, SUCCEEDED})
AT_REST = frozenset({DONE, HELD, UNDELIVERED, INELIGIBLE, RESULT, FAILED, CANCELLED})
HISTORY_LENGTH = 20


class StateUnreadable(ValueError):
    """The stored state cannot be parsed."""


@dataclass(frozen=True)
class Result:
    """The derived series.

    Attributes:
        series: Orthanc's identifier of it, empty until it was found here.
        instances: how many instances it has, 0 until it was found here.
        report: the engine's figures of the run.
        further: Orthanc's identifiers by Series Instance UID of what goes with it (maps, the quality report),
            empty until found here.
    """

    series_uid: str
    series: str = ""
    instances: int = 0
    report: Mapping[str, Any] = field(default_factory=dict)
    further: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SeriesState:
    """One series.

    Attributes:
        since: when this phase began, seconds since the epoch.
        digest: digest of the set of instances that was last checked.
        decision: why the series was taken.
        code, message: why it was refused, failed, is held back or marked.
        forced: a person asked for it against the policy.
        rule: the rule that took it, empty when only a person did.
        destinations: where its result goes; None in states of versions that asked the settings then.
        handed_at: when a job for it was last submitted under this rule.
        request, key: the job as it is handed to the engine.
        retries: attempts started automatically since a person last started one.
        retry_at: when the next automatic attempt starts.
        obsolete: keys of jobs that the engine must still be told to cancel.
        earlier: Series Instance UIDs of results of earlier runs, and of what went with them.
        source: of a result: Orthanc's identifier of the series it was made from.
        history: what happened, oldest first: time and words.
    """

    phase: str
    since: float
    digest: str = ""
    decision: str = ""
    code: str = ""
    message: str = ""
    forced: bool = False
    rule: str = ""
    destinations: Optional[Tuple[str, ...]] = None
    handed_at: Optional[float] = None
    request: Optional[Mapping[str, Any]] = None
    key: str = ""
    retries: int = 0
    retry_at: Optional[float] = None
    result: Optional[Result] = None
    routes: Tuple[Route, ...] = ()
    obsolete: Tuple[str, ...] = ()
    earlier: Tuple[str, ...] = ()
    source: str = ""
    history: Tuple[Tuple[float, str], ...] = ()

    @property
    def attempt(self) -> int:
        """Return the number of the current attempt, 0 when none was made."""
        return int(self.request["attempt"]) if self.request else 0

    @property
    def settled(self) -> bool:
        """Return whether nothing is to be done for the series unless its instances change."""
        return self.phase in AT_REST and self.retry_at is None and not self.obsolete

    @property
    def derived_uids(self) -> Tuple[str, ...]:
        """Return the Series Instance UIDs of all results of this series, and of what went with them."""
        return (*self.earlier, self.result.series_uid, *self.result.further) if self.result else self.earlier


def encode(state: SeriesState) -> str:
    """Return the state's JSON form."""
    return json.dumps({"format": FORMAT, **asdict(state)}, sort_keys=True, separators=(",", ":"))


def decode(stored: str) -> SeriesState:
    """Return the state out of its JSON form.

    Raises:
        StateUnreadable: it is damaged, or another version wrote it.
    """
    try:
        raw = loads(stored)
        if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
            raise StateUnreadable(f"a state of format {FORMAT} was needed, got {stored[:80]!r}")
        return _build(raw)
    except (ValueError, TypeError, KeyError) as error:
        raise StateUnreadable(
            f"the stored state cannot be read ({type(error).__name__}: {str(error)[:120]}); press Run again to start afresh"
        ) from error


def _build(raw: Dict[str, Any]) -> SeriesState:
    raw["result"] = None if raw["result"] is None else Result(**raw["result"])
    raw["routes"] = tuple(Route(**route) for route in raw["routes"])
    raw["history"] = tuple((float(time), str(words)) for time, words in raw["history"])
    raw["obsolete"], raw["earlier"] = tuple(raw["obsolete"]), tuple(raw["earlier"])
    if raw.get("destinations") is not None:
        raw["destinations"] = tuple(raw["destinations"])
    state = SeriesState(**raw)
    _check(state)
    return state


_misfits = misfits_of(SeriesState)


def _check(state: SeriesState) -> None:
    """Refuse inconsistent states: one damaged state must not break the page, steps and counts of all others."""
    wrong = _misfits(state)
    if wrong:
        raise StateUnreadable(f"{', '.join(wrong)} must be of the kind that this version writes")
    if state.phase not in PHASES:
        raise StateUnreadable(f"phase must be one of {', '.join(PHASES)}, got {state.phase!r}")
    if state.request is not None and type(state.request.get("attempt")) is not int:
        raise StateUnreadable("a job must have the number of its attempt")
    if state.phase in IN_WORK and not (state.key and state.request):
        raise StateUnreadable(f"a series that is {state.phase} must have a job")
    if state.phase in (ROUTING, HELD) and not (state.result and state.routes):
        raise StateUnreadable(f"a series that is {state.phase} must have a result and routes")
    if any(route.phase not in ROUTE_PHASES for route in state.routes):
        raise StateUnreadable(f"route phases must be out of {sorted(ROUTE_PHASES)}")

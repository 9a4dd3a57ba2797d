# SPDX-License-Identifier: AGPL-3.0-or-later
"""Actions that a person may request: run, again, release, send (again, or what is held back), cancel, and another priority."""

from __future__ import annotations

from typing import Optional, Tuple

from nullsplat_node.lifecycle.state import (
    CANCELLED,
    DONE,
    FAILED,
    HELD,
    IN_WORK,
    INELIGIBLE,
    PENDING,
    ROUTING,
    RUNNING,
    UNDELIVERED,
    SeriesState,
)
from nullsplat_node.series.refusal import FORCIBLE

RUN, AGAIN, CANCEL, RELEASE, DELIVER = "run", "again", "cancel", "release", "deliver"
ACTIONS = (RUN, AGAIN, CANCEL, RELEASE, DELIVER)
PRIORITY = "priority"
"""Asked for with the priority itself."""
NOT_OF_A_JOB = frozenset({"result-missing", "state-unreadable"})
"""Codes of failures after which there is no failed job at the engine that could be released."""


_OF_RESULT = {
    UNDELIVERED: (DELIVER, AGAIN),
    HELD: (DELIVER, AGAIN, CANCEL),
    DONE: (AGAIN,),
    CANCELLED: (AGAIN,),
}


def possible(state: Optional[SeriesState]) -> Tuple[str, ...]:
    """Return the actions that make sense for a series in this state."""
    if state is None:
        return (RUN,)
    if state.phase == INELIGIBLE:
        return (RUN,) if state.code in FORCIBLE else ()
    if state.phase in IN_WORK or state.phase == ROUTING:
        return (CANCEL,)
    if state.phase == FAILED:
        release = (RELEASE,) if _has_failed_job(state) else ()
        return (*release, AGAIN, CANCEL) if state.retry_at is not None else (*release, AGAIN)
    return _OF_RESULT.get(state.phase, ())


def why_not(action: str, state: Optional[SeriesState]) -> str:
    """Return why the action is not possible, empty when it is."""
    can = possible(state)
    if action in can:
        return ""
    if state is not None and state.phase == INELIGIBLE and action == RUN:
        return f"this series cannot be processed: {state.message}"
    phase = state.phase if state else "new"
    return (
        f"a series that is {phase} cannot be asked to {action}; possible now: {', '.join(can) or 'nothing'}"
    )


def movable(state: SeriesState, *, queued: bool) -> bool:
    """Return whether the series can be given another priority: it waits here, or at the engine (`queued`)."""
    return state.phase == PENDING or (state.phase == RUNNING and queued)


def _has_failed_job(state: SeriesState) -> bool:
    """Return whether the engine may have a failed job that is still this series' own."""
    return bool(state.key) and state.key not in state.obsolete and state.code not in NOT_OF_A_JOB

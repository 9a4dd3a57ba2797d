# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a person may ask for: run, again, cancel."""

from __future__ import annotations

from typing import Optional, Tuple

from .refusal import FORCIBLE
from .state import CANCELLED, DONE, FAILED, IN_WORK, INELIGIBLE, ROUTING, SeriesState

RUN, AGAIN, CANCEL = "run", "again", "cancel"
ACTIONS = (RUN, AGAIN, CANCEL)


def possible(state: Optional[SeriesState]) -> Tuple[str, ...]:
    """Return the actions that make sense for a series in this state."""
    if state is None:
        return (RUN,)
    if state.phase == INELIGIBLE:
        return (RUN,) if state.code in FORCIBLE else ()
    if state.phase in IN_WORK or state.phase == ROUTING:
        return (CANCEL,)
    if state.phase == FAILED:
        return (AGAIN, CANCEL) if state.retry_at is not None else (AGAIN,)
    return (AGAIN,) if state.phase in (DONE, CANCELLED) else ()


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

# SPDX-License-Identifier: AGPL-3.0-or-later
"""The next step for a series: a pure function of the stored state, the archive and the time.

Events only trigger a check; its outcome never depends on an event having arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Optional

from nullsplat_node.lifecycle.routing import has_come, next_look
from nullsplat_node.lifecycle.state import (
    FAILED,
    INELIGIBLE,
    PENDING,
    RESULT,
    ROUTING,
    RUNNING,
    SUCCEEDED,
    SeriesState,
)

CLOCK_GRAIN = 1.0
"""Orthanc notes the time of the last instance in whole seconds, rounded down."""


class Step(Enum):
    """What can be done for a series."""

    CHECK = "check"
    RETRY = "retry"
    SUBMIT = "submit"
    POLL = "poll"
    VERIFY = "verify"
    ROUTE = "route"
    CANCEL_OBSOLETE = "cancel obsolete jobs"
    WAIT = "wait"
    REST = "rest"


@dataclass(frozen=True)
class Seen:
    """The series as it lies in the archive now.

    Attributes:
        digest: digest of the set of instances.
        changed_at: when the last instance came, seconds since the epoch.
    """

    digest: str
    changed_at: float


@dataclass(frozen=True)
class Contact:
    """Recent contact with the engine; not kept over a restart, after which everything is retried at once.

    Attributes:
        tries: contacts in a row that failed.
        next_try: earliest time of the next contact, seconds since the epoch.
        error: why the last one failed, empty when it did not.
        held: why the job is not submitted before `next_try`, empty when it may be.
        progress: 0 to 1; None before the first answer.
        eta: seconds left; None when not known.
        position: in the engine's queue, 1 for the next; None when it does not wait there.
    """

    tries: int = 0
    next_try: float = 0.0
    error: str = ""
    held: str = ""
    progress: Optional[float] = None
    stage: str = ""
    note: str = ""
    eta: Optional[float] = None
    position: Optional[int] = None


@dataclass(frozen=True)
class Next:
    """The next step, and for `WAIT` until when."""

    step: Step
    at: float = 0.0


_AT_ENGINE = {PENDING: Step.SUBMIT, RUNNING: Step.POLL, SUCCEEDED: Step.VERIFY}


def decide(state: Optional[SeriesState], seen: Seen, contact: Contact, now: float, stable_age: float) -> Next:
    """Return what is to be done for the series now.

    Args:
        stable_age: seconds without a new instance after which a series counts as complete.
    """
    if state is not None and state.phase == RESULT:
        return Next(Step.REST)
    stable_at = seen.changed_at + stable_age + CLOCK_GRAIN
    if not has_come(stable_at, now, 2 * (stable_age + CLOCK_GRAIN)):
        return Next(Step.WAIT, stable_at)
    if state is None or _must_check(state, seen):
        return Next(Step.CHECK)
    if state.obsolete and now >= contact.next_try:
        return Next(Step.CANCEL_OBSOLETE)
    following = _by_phase(state, contact, now)
    if following.step is Step.REST and state.obsolete:
        return Next(Step.WAIT, contact.next_try)
    return following


def _must_check(state: SeriesState, seen: Seen) -> bool:
    return state.digest != seen.digest and state.code != "state-unreadable"


def _by_phase(state: SeriesState, contact: Contact, now: float) -> Next:
    if state.phase in _AT_ENGINE:
        return _when(_AT_ENGINE[state.phase], contact.next_try, now)
    if state.phase == ROUTING:
        return _when(Step.ROUTE, next_look(state.routes, now) or now, now)
    if state.phase in (FAILED, INELIGIBLE) and state.retry_at is not None:
        again = Step.RETRY if state.phase == FAILED else Step.CHECK
        return Next(again) if has_come(state.retry_at, now) else Next(Step.WAIT, state.retry_at)
    return Next(Step.REST)


def _when(step: Step, at: float, now: float) -> Next:
    return Next(step) if now >= at else Next(Step.WAIT, at)

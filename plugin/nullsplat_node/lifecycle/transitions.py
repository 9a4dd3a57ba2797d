# SPDX-License-Identifier: AGPL-3.0-or-later
"""The transitions of a series' state, each a pure function."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, Mapping, Optional, Tuple

from nullsplat_node.engine.contract import Failure, JobResult
from nullsplat_node.lifecycle import routing
from nullsplat_node.lifecycle.routing import Backoff, Route
from nullsplat_node.lifecycle.state import (
    CANCELLED,
    DONE,
    FAILED,
    HELD,
    HISTORY_LENGTH,
    IN_WORK,
    INELIGIBLE,
    MARKED,
    PENDING,
    RESULT,
    ROUTING,
    RUNNING,
    SUCCEEDED,
    UNDELIVERED,
    Result,
    SeriesState,
)
from nullsplat_node.series.refusal import PASSING, Refused

LOOK_AGAIN_SECONDS = 60.0
"""Seconds after which a series that was refused because of other series is checked again."""


@dataclass(frozen=True)
class Job:
    """A job as submitted to the engine, and the decision behind it.

    Attributes:
        digest: digest of the set of instances.
        decision: why the series is taken.
        forced: a person asked for it against the policy.
        rule: the rule that takes it, empty when only a person does.
        destinations: where the result is to go.
    """

    request: Mapping[str, Any]
    key: str
    digest: str
    decision: str
    forced: bool = False
    rule: str = ""
    destinations: Optional[Tuple[str, ...]] = None


@dataclass(frozen=True)
class Judgement:
    """The rule's verdict on a result: why it is held back, and why it is marked; empty for neither."""

    held: str = ""
    marked: str = ""


PASSED = Judgement()


@dataclass(frozen=True)
class RetryPolicy:
    """How often a failed job is restarted automatically.

    Attributes:
        max_attempts: all attempts together, the first included.
    """

    max_attempts: int = 60
    backoff: Backoff = field(default_factory=Backoff)


_SHOWN = ("slice_profile", "interval_rms_hu_by_tissue")
"""What slices were taken for, and how far from the truth a voxel may be."""


def refused(state: Optional[SeriesState], digest: str, refusal: Refused, now: float) -> SeriesState:
    """Return the state after a check that refused the series.

    A refusal never overwrites what was already achieved: it only stops work that can no longer succeed.
    """
    if state is None or state.phase == INELIGIBLE:
        return _left(state or SeriesState(INELIGIBLE, now), digest, refusal, now)
    if state.phase in IN_WORK or state.retry_at is not None:
        return _stop_changed(state, digest, refusal, now)
    return _note(replace(state, digest=digest), now, f"the instances changed, but: {refusal.message}")


def _left(state: SeriesState, digest: str, refusal: Refused, now: float) -> SeriesState:
    again = now + LOOK_AGAIN_SECONDS if refusal.code in PASSING else None
    left = replace(
        state, digest=digest, code=refusal.code, message=refusal.message, forced=False, retry_at=again
    )
    if (state.digest, state.message) == (digest, refusal.message):
        return left  # its history knows that already
    return _enter(left, INELIGIBLE, now, f"not taken: {refusal.message}")


def _stop_changed(state: SeriesState, digest: str, refusal: Refused, now: float) -> SeriesState:
    message = f"the series changed while it was being processed, and now: {refusal.message}"
    stopped = replace(
        state, digest=digest, code=refusal.code, message=message, retry_at=None, obsolete=_with_key(state)
    )
    return _enter(stopped, FAILED, now, message)


def taken(state: Optional[SeriesState], job: Job, now: float, retries: int = 0) -> SeriesState:
    """Return the state with a new job to hand over; an earlier job that still runs becomes obsolete.

    Args:
        retries: automatic attempts, this one included.
    """
    before = state or SeriesState(PENDING, now)
    new_job = job.key != before.key
    fresh = replace(
        before,
        digest=job.digest,
        decision=job.decision,
        forced=job.forced,
        rule=job.rule,
        destinations=job.destinations,
        handed_at=before.handed_at if before.rule == job.rule else None,
        request=job.request,
        key=job.key,
        code="",
        message="",
        retries=retries,
        retry_at=None,
        routes=(),
        result=None,
        earlier=before.derived_uids,
        obsolete=_with_key(before) if new_job and before.phase in IN_WORK else before.obsolete,
    )
    return _enter(fresh, PENDING, now, f"taken as attempt {fresh.attempt}: {job.decision}")


def accepted(state: SeriesState, now: float) -> SeriesState:
    """Return the state after the engine confirmed the job."""
    return _enter(replace(state, handed_at=now), RUNNING, now, "submitted to the engine")


def same_again(state: SeriesState, digest: str, now: float) -> SeriesState:
    """Return the state of a series whose instances are again those that its result was made from."""
    return _note(replace(state, digest=digest), now, "the instances are again those that were processed")


def renumbered(state: SeriesState, request: Mapping[str, Any], key: str, now: float) -> SeriesState:
    """Return the state as a new attempt, because the engine had cancelled its job before this series was submitted.

    That happens when a series was deleted while it was processed, and then sent again.
    """
    renewed = replace(state, request=request, key=key)
    words = f"the engine had cancelled this very job before; taken as attempt {renewed.attempt}"
    return _enter(renewed, PENDING, now, words)


def finished(state: SeriesState, result: JobResult, now: float) -> SeriesState:
    """Return the state after the engine reported success."""
    found = Result(
        result.series_uid, report=_remembered(result.report), further=dict.fromkeys(result.further, "")
    )
    return _enter(replace(state, result=found), SUCCEEDED, now, "the engine has finished")


def _remembered(report: Mapping[str, Any]) -> Dict[str, Any]:
    """Return plain figures, and what else the page shows; the rest stays with the engine."""
    figures = {name: value for name, value in report.items() if isinstance(value, (int, float, str))}
    shown = {name: dict(report[name]) for name in _SHOWN if isinstance(report.get(name), dict)}
    return {**figures, **shown}


def failed(state: SeriesState, failure: Failure, now: float, policy: RetryPolicy) -> SeriesState:
    """Return the state after the job failed; a transient failure is retried after a while."""
    again = failure.retryable and state.retries + 1 < policy.max_attempts
    retry_at = now + policy.backoff.delay(state.retries + 1) if again else None
    after = replace(state, code=failure.code, message=failure.message, retry_at=retry_at)
    return _enter(after, FAILED, now, f"failed: {failure.message}")


def stopped_at_engine(state: SeriesState, now: float) -> SeriesState:
    """Return the state after the job was cancelled at the engine."""
    return _enter(replace(state, retry_at=None), CANCELLED, now, "cancelled at the engine")


def verified(
    state: SeriesState,
    found: Result,
    destinations: Tuple[str, ...],
    now: float,
    judgement: Judgement = PASSED,
) -> SeriesState:
    """Return the state after the result was found complete in the archive."""
    routes = tuple(Route(name) for name in destinations)
    report = state.result.report if state.result else {}
    here = replace(state, result=replace(found, report=report), routes=routes)
    words = f"the result is here: {found.instances} slices{_and_further(len(found.further))}"
    return _judged(_enter(here, ROUTING if routes else DONE, now, words), judgement, now)


def _judged(state: SeriesState, judgement: Judgement, now: float) -> SeriesState:
    """Return the state with the result held back, where it would be sent on; where not, or a mark will do, marked."""
    why = "; ".join(filter(None, (judgement.held, judgement.marked)))
    if judgement.held and state.routes:
        return _enter(replace(state, code=HELD, message=why), HELD, now, f"held back: {why}")
    return _note(replace(state, code=MARKED, message=why), now, f"marked: {why}") if why else state


def _and_further(count: int) -> str:
    return f", and {count} further series" if count else ""


def rerouted(state: SeriesState, routes: Tuple[Route, ...], now: float) -> SeriesState:
    """Return the state with its routes moved on."""
    before = {(old.destination, old.series): old.phase for old in state.routes}
    moved = replace(state, routes=routes)
    for route in routes:
        if route.settled and before.get((route.destination, route.series)) != route.phase:
            why = f": {route.error}" if route.undelivered else ""
            moved = _note(moved, now, f"{route.phase}: {route.name}{why}")
    if not all(route.settled for route in routes):
        return moved
    return replace(
        moved, phase=UNDELIVERED if any(route.undelivered for route in routes) else DONE, since=now
    )


def sent_again(state: SeriesState, now: float) -> SeriesState:
    """Return the state after a person asked to send a result that was held back, or to send it again."""
    if state.phase == HELD:
        return _enter(replace(state, code=MARKED), ROUTING, now, "a person passed it on")
    routes = tuple(routing.again(route) for route in state.routes)
    return _enter(replace(state, routes=routes), ROUTING, now, "a person had it sent again")


def result_gone(state: SeriesState, now: float) -> SeriesState:
    """Return the state after the result was deleted before it was delivered everywhere."""
    message = (
        "the result is no longer in this archive, so it cannot be sent on; press Run again to re-create it"
    )
    routes = tuple(routing.abandoned(route) for route in state.routes)
    gone = replace(state, code="result-missing", message=message, routes=routes)
    return _enter(gone, FAILED, now, message)


def cancelled(state: SeriesState, now: float) -> SeriesState:
    """Return the state after a person asked to stop: the work, its repetition, or the routing."""
    if state.phase in (ROUTING, HELD):
        kept = replace(state, code=MARKED) if state.phase == HELD else state
        return rerouted(kept, tuple(routing.abandoned(route) for route in state.routes), now)
    obsolete = _with_key(state) if state.phase in IN_WORK else state.obsolete
    return _enter(replace(state, retry_at=None, obsolete=obsolete), CANCELLED, now, "cancelled by a person")


def released(state: SeriesState, now: float) -> SeriesState:
    """Return the state after a person released the failed job, as the same attempt."""
    fresh = replace(state, code="", message="", retries=0, retry_at=None, result=None, routes=())
    return _enter(fresh, RUNNING, now, "released by a person: the same attempt is done again")


def moved(state: SeriesState, priority: str, now: float) -> SeriesState:
    """Return the state after a person gave the job another priority, which does not make it another job."""
    request = {**(state.request or {}), "priority": priority}
    return _note(replace(state, request=request), now, f"a person made its priority {priority}")


def obsolete_cancelled(state: SeriesState, key: str) -> SeriesState:
    """Return the state after the engine was told to cancel the job `key`."""
    return replace(state, obsolete=tuple(other for other in state.obsolete if other != key))


def made_here(source: str, now: float) -> SeriesState:
    """Return the state of a derived series: never to be taken."""
    return _enter(SeriesState(RESULT, now, source=source), RESULT, now, "made by NullSplat")


def unreadable(message: str, now: float) -> SeriesState:
    """Return the state of a series whose stored state is damaged: it waits for a person."""
    return _enter(SeriesState(FAILED, now, code="state-unreadable", message=message), FAILED, now, message)


def _with_key(state: SeriesState) -> Tuple[str, ...]:
    return (*(key for key in state.obsolete if key != state.key), state.key) if state.key else state.obsolete


def _enter(state: SeriesState, phase: str, now: float, words: str) -> SeriesState:
    return _note(replace(state, phase=phase, since=now), now, words)


def _note(state: SeriesState, now: float, words: str) -> SeriesState:
    return replace(state, history=(*state.history, (now, words))[-HISTORY_LENGTH:])

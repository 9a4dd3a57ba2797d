"""The life of a series, without Orthanc and without an engine."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nullsplat_node.engine.contract import Failure, JobResult
from nullsplat_node.lifecycle import routing, transitions
from nullsplat_node.lifecycle.actions import AGAIN, CANCEL, DELIVER, RELEASE, RUN, movable, possible, why_not
from nullsplat_node.lifecycle.reconciler import CLOCK_GRAIN, Contact, Seen, Step, decide
from nullsplat_node.lifecycle.routing import Backoff, Route
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
    SUCCEEDED,
    UNDELIVERED,
    Result,
    SeriesState,
    decode,
    encode,
)
from nullsplat_node.lifecycle.transitions import Job, Judgement, RetryPolicy
from nullsplat_node.series.refusal import Refused

POLICY = RetryPolicy(3, Backoff(10, 100))
PERSISTENCE = routing.Persistence(POLICY.backoff, 3)
RESULT = JobResult("2.25.1", ("2.25.2",), further={"2.25.3": ("2.25.4",)})
STABLE_AGE = 60.0


def job(digest: str = "d1", attempt: int = 1, key: str | None = None) -> Job:
    return Job(
        {"attempt": attempt, "fingerprint": digest},
        key or f"key-{digest}-{attempt}",
        digest,
        "low dose because ...",
    )


def pending() -> SeriesState:
    return transitions.taken(None, job(), 0.0)


def running() -> SeriesState:
    return transitions.accepted(pending(), 1.0)


def routed() -> SeriesState:
    done = transitions.finished(running(), RESULT, 2.0)
    return transitions.verified(done, Result("2.25.1", "abc", 1), ("A", "B"), 3.0)


def test_figures_slice_profile_and_intervals_are_remembered_and_nothing_else() -> None:
    profile = {
        "profile": "bell",
        "fwhm_mm": 5.0,
        "why": "assumed",
        "check": {"verdict": "contradicted", "why": "..."},
    }
    report = {
        "noise_hu": 15.1,
        "slice_profile": profile,
        "outside_training": "why",
        "interval_rms_hu_by_tissue": {"lung": 45.5},
        "stages": {"stage1": {"seconds": 9.0}},
    }
    state = transitions.finished(running(), replace(RESULT, report=report), 2.0)
    remembered = decode(encode(state))
    assert remembered.result.report == {name: value for name, value in report.items() if name != "stages"}
    odd = transitions.finished(running(), replace(RESULT, report={"slice_profile": ["bell"]}), 2.0)
    assert odd.result.report == {}


def test_a_failed_job_can_be_released_as_the_same_attempt() -> None:
    failure = Failure("internal", "broken", retryable=False)
    failed = transitions.failed(running(), failure, 2.0, POLICY)
    assert possible(failed) == (RELEASE, AGAIN)
    released = transitions.released(failed, 3.0)
    assert (released.phase, released.key, released.attempt) == (RUNNING, failed.key, failed.attempt)
    assert (released.code, released.message, released.retries) == ("", "", 0)
    assert released.history[-1][1].startswith("released by a person")
    for other in (
        replace(failed, code="result-missing"),  # the job itself succeeded
        replace(failed, obsolete=(failed.key,)),  # the engine is to cancel it
    ):
        assert RELEASE not in possible(other)


def test_another_priority_is_the_same_job() -> None:
    moved = transitions.moved(pending(), "stat", 2.0)
    assert (moved.phase, moved.key, moved.request) == (
        PENDING,
        pending().key,
        {**pending().request, "priority": "stat"},
    )  # type: ignore[dict-item]
    assert movable(pending(), queued=False)
    assert movable(running(), queued=True)
    assert not movable(running(), queued=False)
    assert not movable(routed(), queued=True)


def decided(
    state: SeriesState | None, now: float = 1000.0, contact: Contact | None = None, digest: str = "d1"
) -> Step:
    return decide(state, Seen(digest, 0.0), contact or Contact(), now, STABLE_AGE).step


def test_each_phase_has_its_next_step() -> None:
    assert decided(None) is Step.CHECK
    assert decided(pending()) is Step.SUBMIT
    assert decided(running()) is Step.POLL
    assert decided(transitions.finished(running(), RESULT, 2.0)) is Step.VERIFY
    assert decided(routed()) is Step.ROUTE
    assert decided(transitions.made_here("abc", 0.0), digest="anything") is Step.REST


def test_a_series_that_still_grows_is_left_alone_until_it_is_stable() -> None:
    following = decide(None, Seen("d1", 1000.0), Contact(), 1030.0, STABLE_AGE)
    assert following.step is Step.WAIT
    assert following.at == 1000.0 + STABLE_AGE + CLOCK_GRAIN


def test_what_was_noted_while_the_clock_was_ahead_is_not_waited_for() -> None:
    """A machine whose battery is empty starts in another year, until it hears of the right time."""
    year = 365 * 86_400.0
    assert decide(None, Seen("d1", 1000.0 + year), Contact(), 1000.0, STABLE_AGE).step is Step.CHECK
    failed = replace(running(), phase=FAILED, retry_at=1000.0 + year)
    assert decided(failed) is Step.RETRY
    assert decided(replace(failed, phase=INELIGIBLE)) is Step.CHECK
    assert decided(replace(failed, retry_at=1000.0 + routing.LONGEST_WAIT)) is Step.WAIT
    waiting = Route("PACS", tries=3, next_try=1000.0 + year)
    assert routing.next_look((waiting,), 1000.0) == 1000.0
    assert decided(replace(routed(), routes=(waiting,))) is Step.ROUTE


def test_nobody_asks_an_engine_again_before_its_time() -> None:
    following = decide(pending(), Seen("d1", 0.0), Contact(next_try=2000.0), 1000.0, STABLE_AGE)
    assert (following.step, following.at) == (Step.WAIT, 2000.0)


@pytest.mark.parametrize(
    "state", [None, pending(), running(), routed(), transitions.cancelled(running(), 5.0)]
)
def test_other_instances_are_always_checked_again(state: SeriesState | None) -> None:
    assert decided(state, digest="d2") is Step.CHECK


def test_late_slices_supersede_a_running_job_which_the_engine_is_told_to_drop() -> None:
    superseded = transitions.taken(running(), job("d2"), 9.0)
    assert superseded.phase == PENDING
    assert superseded.key == "key-d2-1"
    assert superseded.obsolete == ("key-d1-1",)
    assert decided(superseded, digest="d2") is Step.CANCEL_OBSOLETE
    assert decided(transitions.obsolete_cancelled(superseded, "key-d1-1"), digest="d2") is Step.SUBMIT


def test_a_superseded_result_stays_known_so_that_it_is_never_taken() -> None:
    again = transitions.taken(routed(), job("d2"), 9.0)
    assert again.derived_uids == ("2.25.1",)
    assert again.result is None


def test_an_engine_that_cannot_be_told_does_not_hold_up_the_new_job_for_ever() -> None:
    superseded = transitions.taken(running(), job("d2"), 9.0)
    assert decided(superseded, contact=Contact(next_try=2000.0), digest="d2") is Step.WAIT
    assert (
        decided(superseded, now=2000.0, contact=Contact(next_try=2000.0), digest="d2") is Step.CANCEL_OBSOLETE
    )


def test_a_cancelled_job_is_cancelled_at_the_engine_too_and_then_there_is_peace() -> None:
    state = transitions.cancelled(running(), 5.0)
    assert decided(state) is Step.CANCEL_OBSOLETE
    assert decided(state, contact=Contact(next_try=2000.0)) is Step.WAIT
    assert decided(transitions.obsolete_cancelled(state, state.key)) is Step.REST


@pytest.mark.parametrize(
    "state", [routed(), transitions.cancelled(running(), 5.0), replace(routed(), phase=DONE)]
)
def test_a_refusal_never_overwrites_what_was_achieved(state: SeriesState) -> None:
    after = transitions.refused(state, "d2", Refused("missing-slice", "one is missing"), 9.0)
    assert after.phase == state.phase
    assert after.digest == "d2"
    assert "one is missing" in after.history[-1][1]


@pytest.mark.parametrize("state", [pending(), running(), transitions.finished(running(), RESULT, 2.0)])
def test_a_refusal_stops_work_that_cannot_succeed_any_more(state: SeriesState) -> None:
    after = transitions.refused(state, "d2", Refused("missing-slice", "one is missing"), 9.0)
    assert (after.phase, after.code) == (FAILED, "missing-slice")
    assert state.key in after.obsolete


def test_a_refused_series_becomes_eligible_when_its_missing_slice_arrives() -> None:
    refused = transitions.refused(None, "d0", Refused("missing-slice", "one is missing"), 1.0)
    assert (refused.phase, decided(refused, digest="d0")) == (INELIGIBLE, Step.REST)
    after = transitions.taken(refused, job(), 9.0)
    assert (after.phase, after.code, after.message) == (PENDING, "", "")


def test_what_may_pass_is_tried_again_by_itself_but_not_for_ever() -> None:
    state, attempts = running(), 1
    while (state := transitions.failed(state, Failure("archive", "away", True), 100.0, POLICY)).retry_at:
        assert decided(state, now=state.retry_at - 1) is Step.WAIT
        assert decided(state, now=state.retry_at) is Step.RETRY
        attempts += 1
        state = transitions.taken(state, job(attempt=attempts), 200.0, state.retries + 1)
    assert attempts == POLICY.max_attempts
    assert decided(state) is Step.REST


def test_what_is_remembered_does_not_grow_with_the_attempts() -> None:
    policy = RetryPolicy()
    state, sizes = running(), []
    while (state := transitions.failed(state, Failure("archive", "away", True), 100.0, policy)).retry_at:
        sizes.append(len(encode(state)))
        again = transitions.taken(state, job(attempt=state.attempt + 1), 200.0, state.retries + 1)
        state = transitions.accepted(again, 300.0)
    assert state.attempt == policy.max_attempts == 60
    assert sizes[-1] < max(sizes[:10]) + 100


def test_what_will_not_pass_is_not_tried_again() -> None:
    state = transitions.failed(running(), Failure("input", "bad", False), 100.0, POLICY)
    assert (state.phase, state.retry_at, decided(state)) == (FAILED, None, Step.REST)
    assert possible(state) == (RELEASE, AGAIN)


def test_a_person_who_asks_again_gets_all_automatic_attempts_back() -> None:
    state = replace(running(), retries=2)
    failed = transitions.failed(state, Failure("archive", "away", True), 100.0, POLICY)
    assert failed.retry_at is None
    assert transitions.taken(failed, job(attempt=4), 200.0).retries == 0


def test_a_result_without_destinations_is_done_at_once() -> None:
    done = transitions.finished(running(), RESULT, 2.0)
    assert transitions.verified(done, Result("2.25.1", "abc", 1), (), 3.0).phase == DONE


def test_routing_ends_when_every_destination_is_settled() -> None:
    state = routed()
    first, second = state.routes
    half = transitions.rerouted(state, (routing.delivered(first), second), 4.0)
    assert half.phase == ROUTING
    assert transitions.rerouted(half, (half.routes[0], routing.delivered(second)), 5.0).phase == DONE


def test_cancelling_during_routing_keeps_the_result_and_what_was_delivered() -> None:
    state = routed()
    half = transitions.rerouted(state, (routing.delivered(state.routes[0]), state.routes[1]), 4.0)
    stopped = transitions.cancelled(half, 5.0)
    assert stopped.phase == DONE
    assert [route.phase for route in stopped.routes] == ["delivered", "abandoned"]
    assert stopped.result is not None


def test_a_deleted_result_is_a_failure_that_says_so() -> None:
    gone = transitions.result_gone(routed(), 9.0)
    assert (gone.phase, gone.code) == (FAILED, "result-missing")


def test_a_damaged_state_waits_for_a_person_whatever_the_instances_are() -> None:
    damaged = transitions.unreadable("cannot be read", 1.0)
    assert decided(damaged, digest="d7") is Step.REST
    assert possible(damaged) == (AGAIN,)


def test_what_a_person_may_ask_for_depends_on_the_state() -> None:
    policy = transitions.refused(None, "d", Refused("not-low-dose", "dose"), 1.0)
    unusable = transitions.refused(None, "d", Refused("missing-slice", "gap"), 1.0)
    assert possible(None) == possible(policy) == (RUN,)
    assert possible(unusable) == ()
    assert possible(running()) == possible(routed()) == (CANCEL,)
    assert possible(transitions.cancelled(running(), 2.0)) == (AGAIN,)
    assert why_not(RUN, unusable) == "this series cannot be processed: gap"
    assert "possible now: cancel" in why_not(RUN, running())
    assert why_not(CANCEL, running()) == ""


@given(st.integers(1, 10_000))
def test_the_backoff_grows_to_its_limit_and_stays_there(tries: int) -> None:
    backoff = Backoff(5.0, 300.0)
    assert 5.0 <= backoff.delay(tries) <= backoff.delay(tries + 1) <= 300.0


def test_a_failed_delivery_waits_longer_each_time_and_one_lost_at_first_not_at_all() -> None:
    route, waits, long = Route("PACS"), [], routing.Persistence(Backoff(5, 60), 100)
    for _ in range(6):
        route = routing.failed(route, "no connection", 1000.0, long)
        waits.append(route.next_try - 1000.0)
    assert waits == [5, 10, 20, 40, 60, 60]
    assert routing.lost(routing.begun(Route("PACS"), "job"), 1000.0, long).next_try == 0.0
    assert routing.next_look((route, routing.delivered(route)), 1000.0) == route.next_try
    assert routing.next_look((routing.delivered(route),), 1000.0) is None


class Life(RuleBasedStateMachine):
    """Whatever happens in whatever order, a series that was taken is never forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.state = pending()
        self.now = 10.0
        self.digest = "d1"

    def become(self, state: SeriesState) -> None:
        self.now += 1.0
        self.state = decode(encode(state))  # Orthanc is killed after every change

    @rule(ok=st.booleans(), retryable=st.booleans())
    def engine_answers(self, ok: bool, retryable: bool) -> None:
        if self.state.phase == PENDING:
            self.become(transitions.accepted(self.state, self.now))
        elif self.state.phase == RUNNING and ok:
            self.become(transitions.finished(self.state, RESULT, self.now))
        elif self.state.phase == RUNNING:
            self.become(transitions.failed(self.state, Failure("x", "x", retryable), self.now, POLICY))
        elif self.state.phase == SUCCEEDED:
            judgement = Judgement(held="" if self.state.attempt % 3 else "too far off")
            found = Result("2.25.1", "abc", 1)
            self.become(transitions.verified(self.state, found, ("A",), self.now, judgement))

    @rule(ok=st.booleans())
    def store_ends(self, ok: bool) -> None:
        if self.state.phase == ROUTING:
            route = self.state.routes[0]
            moved = routing.delivered(route) if ok else routing.failed(route, "away", self.now, PERSISTENCE)
            self.become(transitions.rerouted(self.state, (moved,), self.now))

    @rule(usable=st.booleans())
    def slices_arrive(self, usable: bool) -> None:
        self.digest = f"{self.digest}+"[-9:] if len(self.digest) < 9 else "d1"
        if usable:
            self.become(transitions.taken(self.state, job(self.digest, self.state.attempt + 1), self.now))
        else:
            self.become(
                transitions.refused(self.state, self.digest, Refused("missing-slice", "gap"), self.now)
            )

    @rule()
    def a_person_asks(self) -> None:
        actions = possible(self.state)
        if CANCEL in actions:
            self.become(transitions.cancelled(self.state, self.now))
        elif DELIVER in actions and self.state.attempt % 2:
            self.become(transitions.sent_again(self.state, self.now))
        elif RELEASE in actions and self.state.attempt % 2:
            self.become(transitions.released(self.state, self.now))
        elif AGAIN in actions:
            self.become(transitions.taken(self.state, job(self.digest, self.state.attempt + 1), self.now))

    @rule()
    def time_passes(self) -> None:
        self.now += 1000.0
        if self.state.phase == FAILED and self.state.retry_at is not None:
            next_job = job(self.digest, self.state.attempt + 1)
            self.become(transitions.taken(self.state, next_job, self.now, self.state.retries + 1))

    @invariant()
    def there_is_always_a_next_step_or_a_good_end(self) -> None:
        step = decide(self.state, Seen(self.digest, 0.0), Contact(), self.now + 10_000, STABLE_AGE).step
        if step is Step.REST:
            assert self.state.phase in {DONE, HELD, UNDELIVERED, FAILED, CANCELLED}
            assert self.state.retry_at is None
            assert not self.state.obsolete
            assert possible(self.state)

    @invariant()
    def only_one_job_is_wanted_at_the_engine(self) -> None:
        if self.state.phase in IN_WORK:
            assert self.state.key not in self.state.obsolete


Life.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestLife = Life.TestCase

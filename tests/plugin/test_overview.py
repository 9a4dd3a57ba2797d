"""What the status page is told."""

import pytest

from nullsplat_node.engine.contract import Failure, JobResult
from nullsplat_node.lifecycle import transitions
from nullsplat_node.lifecycle.reconciler import Contact
from nullsplat_node.lifecycle.routing import Route
from nullsplat_node.lifecycle.state import (
    CANCELLED,
    DONE,
    FAILED,
    INELIGIBLE,
    PHASES,
    RUNNING,
    Result,
    SeriesState,
)
from nullsplat_node.lifecycle.transitions import Job, RetryPolicy
from nullsplat_node.series.refusal import Refused
from nullsplat_node.views.overview import (
    GROUPS,
    EngineSeen,
    by_attempt,
    counts_shown,
    deliveries,
    engine_shown,
    kind_of,
    queue_shown,
    viewers,
)

NOW = 1_000_000.0
JOB = Job(
    {"attempt": 1, "parameters": {"preset": "standard", "scale": [4, 1, 1]}, "priority": "stat"},
    "0" * 32,
    "d",
    "low dose",
)


def no_contact(_: str) -> Contact:
    return Contact()


def state(phase: str, since: float = NOW) -> SeriesState:
    if phase in (RUNNING,):
        return SeriesState(phase, since, request=JOB.request, key=JOB.key)
    return SeriesState(phase, since)


def test_every_phase_is_in_exactly_one_group() -> None:
    assert sorted(phase for group in GROUPS.values() for phase in group) == sorted(PHASES)


def test_what_is_in_work_comes_first_then_what_failed_each_with_the_latest_first() -> None:
    states = {
        "old-done": state(DONE, NOW - 9), "refused": state(INELIGIBLE, NOW - 1), "failed": state(FAILED, NOW - 8),
        "running": state(RUNNING, NOW - 100), "new-cancelled": state(CANCELLED, NOW - 2),
    }  # fmt: skip
    shown = queue_shown(states, no_contact, NOW)
    assert [row["series"] for row in shown["rows"]] == [
        "running",
        "failed",
        "new-cancelled",
        "old-done",
        "refused",
    ]


def test_the_cut_is_told() -> None:
    states = {f"s{index}": state(FAILED, NOW - index) for index in range(5)}
    shown = queue_shown(states, no_contact, NOW, left_out=7, longest=2)
    assert ([row["series"] for row in shown["rows"]], shown["omitted"]) == (["s0", "s1"], 3 + 7)


def test_counts_add_up() -> None:
    counted = counts_shown({FAILED: 2, DONE: 1})
    assert counted["all"] == 3
    assert counted["groups"] == {
        "in-progress": 0,
        "to-look-at": 2,
        "finished": 1,
        "not-taken": 0,
        "results": 0,
    }
    assert sum(counted["phases"].values()) == 3


def test_a_row_has_age_priority_and_what_may_be_asked_for() -> None:
    contact = Contact(progress=0.5, stage="stage2", note="n", eta=30.0)
    row = queue_shown({"s": state(RUNNING, NOW - 61.5)}, lambda _: contact, NOW)["rows"][0]
    assert (row["age_seconds"], row["priority"], row["actions"], row["progress"]) == (
        61,
        "stat",
        ["cancel"],
        0.5,
    )


def test_the_history_is_split_by_attempt() -> None:
    first = transitions.accepted(transitions.taken(None, JOB, NOW), NOW + 1)
    failed = transitions.failed(first, Failure("x", "no memory", True), NOW + 2, RetryPolicy())
    second = Job({**JOB.request, "attempt": 2}, "1" * 32, "d", "low dose")
    told = by_attempt(transitions.taken(failed, second, NOW + 9).history)
    assert [(one["attempt"], [event["kind"] for event in one["events"]]) for one in told] == [
        (1, ["taken", "handed-over", "failed"]), (2, ["taken"])
    ]  # fmt: skip


def test_an_entry_of_an_earlier_version_is_recognised() -> None:
    assert kind_of("handed over to the engine") == "handed-over"


def test_every_entry_that_a_transition_writes_is_recognised() -> None:
    taken = transitions.accepted(transitions.taken(None, JOB, NOW), NOW)
    computed = transitions.finished(taken, JobResult("1.2", ("1.3",)), NOW)
    stored = transitions.verified(computed, Result("1.2", "id", 4), ("PACS", "B"), NOW)
    sent = transitions.rerouted(stored, (Route("PACS", "delivered"), Route("B", "abandoned")), NOW + 3)
    kinds = [kind_of(words) for _, words in sent.history]
    assert kinds == ["taken", "handed-over", "computed", "stored", "delivered", "abandoned"]
    refused = transitions.refused(None, "d", Refused("too-old", "old"), NOW)
    assert [kind_of(words) for _, words in (*refused.history, *transitions.cancelled(taken, NOW).history[-1:])] == [
        "refused", "cancelled"
    ]  # fmt: skip
    assert [one["time"] for one in deliveries(sent)] == ["1970-01-12T13:46:43Z"] * 2
    assert [one["state"] for one in deliveries(sent)] == ["delivered", "abandoned"]


def test_an_engine_that_is_away_is_told_with_since_when() -> None:
    info = {"version": "1", "queue": {"queued": 2, "running": 1}}
    seen = EngineSeen(
        "http://e", info, {"worker": "no worker is alive", "queue": "ok"}, "refused", NOW - 60, NOW
    )
    shown = engine_shown(seen)
    assert (shown["reachable"], shown["answered_at"], shown["away_since"]) == (False, "1970-01-12T13:45:40Z", "1970-01-12T13:46:40Z")  # fmt: skip
    assert [(check["name"], check["ok"]) for check in shown["checks"]] == [("queue", True), ("worker", False)]
    assert engine_shown(EngineSeen("http://e", info, {}))["reachable"]
    assert not engine_shown(EngineSeen("http://e", {}, {}))["reachable"]


@pytest.mark.parametrize(
    ("plugins", "ohif_is_served", "there"),
    [
        ([], False, set()),
        (["web-viewer", "orthanc-explorer-2"], False, {"web_viewer", "explorer2"}),
        (["ohif", "stone-webviewer"], False, {"ohif", "stone"}),
        ([], True, {"ohif"}),
    ],
)
def test_viewers_are_found_among_plugins(plugins: list[str], ohif_is_served: bool, there: set[str]) -> None:
    assert {name for name, is_there in viewers(plugins, ohif_is_served).items() if is_there} == there

"""What is kept up with every change is what a look at all states would find, and costs the same however many there are."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.plugin.beside import SECRET, EngineBeside, running, wait_until
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import ct_series

from nullsplat_node.lifecycle.census import Census, HandedOver, Latest
from nullsplat_node.lifecycle.routing import DELIVERED, WAITING, Route
from nullsplat_node.lifecycle.state import (
    DONE,
    FAILED,
    IN_WORK,
    PENDING,
    PHASES,
    ROUTING,
    RUNNING,
    SeriesState,
)
from nullsplat_node.work.agenda import Agenda

states = st.builds(
    SeriesState,
    phase=st.sampled_from([PENDING, RUNNING, ROUTING, DONE, FAILED]),
    since=st.integers(0, 20).map(float),
    code=st.sampled_from(["", "storage", "archive"]),
    key=st.sampled_from(["k", "l"]),
    retry_at=st.sampled_from([None, 1.0]),
    routes=st.lists(
        st.builds(Route, st.sampled_from("AB"), st.sampled_from([WAITING, DELIVERED])), max_size=2
    ).map(tuple),
)
changes = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.none() | states), max_size=40)


@given(changes)
def test_a_census_counts_what_is_there(told: list[tuple[str, SeriesState | None]]) -> None:
    census, known = Census(), {}
    for series, state in told:
        census.change(series, known.pop(series, None), state)
        if state is not None:
            known[series] = state
    counts = census.counts()
    assert counts.phases == Counter(state.phase for state in known.values())
    assert counts.reasons == Counter((state.phase, state.code) for state in known.values() if state.code)
    assert counts.routes == Counter(
        (route.destination, route.phase)
        for state in known.values()
        for route in state.routes
        if state.phase != "held"
    )
    assert counts.pending_since == min(
        (state.since for state in known.values() if state.phase == PENDING), default=None
    )
    assert census.restless == {series for series, state in known.items() if not state.settled}
    assert census.delivering == {
        series
        for series, state in known.items()
        if state.phase != "held" and any(not route.settled for route in state.routes)
    }
    wanted = {state.key for state in known.values() if state.phase in IN_WORK}
    assert {key for key in "klm" if census.is_wanted(key)} == wanted
    assert sorted(census.latest(PHASES)) == sorted(known)


@given(st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(0, 50)), max_size=80))
def test_the_latest_are_the_latest_whatever_was_added_and_dropped(
    told: list[tuple[int, int | None]],
) -> None:
    latest, known = Latest(most=3), {}
    for number, at in told:
        if number in known:
            latest.drop(str(number))
            del known[number]
        if at is not None:
            latest.add(str(number), float(at))
            known[number] = (float(at), str(number))
        assert latest.series() == [name for _, name in sorted(known.values(), reverse=True)[:3]]


def test_a_series_has_its_place_in_the_last_day_and_rule_only() -> None:
    handed = HandedOver()
    for rule, day in (("chest", 1.0), ("chest", 2.0), ("head", 2.0)):
        handed.note("a", rule, day)
    handed.note("b", "head", 2.0)
    assert (handed.on("chest", 1.0), handed.on("chest", 2.0)) == (frozenset(), frozenset())
    assert handed.on("head", 2.0) == {"a", "b"}


class Counted(str):
    """A name that counts how often it is compared or looked up."""

    work = 0

    def __lt__(self, other: str) -> bool:
        type(self).work += 1
        return str.__lt__(self, other)

    def __hash__(self) -> int:
        type(self).work += 1
        return str.__hash__(self)

    __eq__ = str.__eq__


def work_for(count: int) -> int:
    """Comparisons and look-ups to plan so many series and take each out when it is due."""
    Counted.work, agenda = 0, Agenda()
    for number in range(count):
        agenda.add(Counted(f"{number * 7919 % count:06d}"), 1.0)
    while agenda.pop_due(2.0) is not None:
        agenda.next_time()
    return Counted.work


def test_the_work_of_an_agenda_grows_as_its_length() -> None:
    assert work_for(4000) < 6 * work_for(
        1000
    )  # 4 times, and a little for the heap's depth; 16 would be quadratic


class Watched(dict[str, Any]):
    """A dictionary that nobody may walk through."""

    def _walk(self, *_: object) -> Any:
        raise AssertionError("all states were looked at")

    __iter__ = items = values = keys = copy = _walk


def test_no_page_and_no_event_looks_at_all_states(monkeypatch: pytest.MonkeyPatch) -> None:
    orthanc = FakeOrthanc()
    with (
        EngineBeside(SECRET, orthanc=orthanc) as engine,
        running(orthanc, engine, Destinations=["PACS"], ReconcileInterval=3600) as service,
    ):
        source = orthanc.add(ct_series(4))
        service.series_changed(source)
        wait_until(lambda: service.series(source)["state"] == "done")
        service._store._states = Watched(service._store._states)
        assert service.status()["counts"]["done"] == 1
        assert 'nullsplat_node_series{state="done"} 1' in service.metrics()
        for group in ("", "finished", "to-look-at"):
            rows = service.overview(group)["queue"]["rows"]
            assert (source in [row["series"] for row in rows]) == (group != "to-look-at")
        service.store_ended("unknown")
        orthanc.delete(source)
        service.series_changed(source)
        wait_until(lambda: service.status()["counts"]["done"] == 0)

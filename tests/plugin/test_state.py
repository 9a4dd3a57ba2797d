import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nullsplat_node.lifecycle.census import Census
from nullsplat_node.lifecycle.reconciler import Contact, Seen, decide
from nullsplat_node.lifecycle.routing import ABANDONED, COMMITTING, DELIVERED, SENDING, WAITING, Route
from nullsplat_node.lifecycle.state import (
    HELD,
    IN_WORK,
    PHASES,
    ROUTING,
    Result,
    SeriesState,
    StateUnreadable,
    decode,
    encode,
)
from nullsplat_node.outgoing.webhook import message_about
from nullsplat_node.views import overview
from nullsplat_node.views.metrics import Figures, exposition
from nullsplat_node.views.series import full

words = st.text(max_size=20)
times = st.floats(0, 4e9)
routes = st.builds(
    Route,
    words,
    st.sampled_from([WAITING, SENDING, COMMITTING, DELIVERED, ABANDONED]),
    words,
    st.integers(0, 99),
    times,
    words,
)
results = st.builds(Result, words, words, st.integers(0, 999), st.dictionaries(words, st.floats(0, 9)))


@st.composite
def states(draw: st.DrawFn) -> SeriesState:
    phase, result = draw(st.sampled_from(PHASES)), draw(st.none() | results)
    routed = tuple(draw(st.lists(routes, max_size=3)))
    assume(phase not in (ROUTING, HELD) or (result and routed))
    request = {"attempt": draw(st.integers(1, 9)), "fingerprint": draw(words)}
    return SeriesState(
        phase=phase,
        since=draw(times),
        digest=draw(words),
        decision=draw(words),
        code=draw(words),
        message=draw(words),
        forced=draw(st.booleans()),
        rule=draw(words),
        destinations=draw(st.none() | st.lists(words, max_size=3).map(tuple)),
        handed_at=draw(st.none() | times),
        request=request,
        key=draw(st.text(min_size=1, max_size=9)),
        retries=draw(st.integers(0, 9)),
        retry_at=draw(st.none() | times),
        result=result,
        routes=routed,
        obsolete=tuple(draw(st.lists(words, max_size=3))),
        earlier=tuple(draw(st.lists(words, max_size=3))),
        source=draw(words),
        history=tuple(draw(st.lists(st.tuples(times, words), max_size=3))),
    )


@given(states())
def test_a_state_survives_its_json_form(state: SeriesState) -> None:
    assert decode(encode(state)) == state


@settings(max_examples=50)
@given(
    st.text()
    | st.recursive(st.none() | st.integers() | words, lambda x: st.lists(x) | st.dictionaries(words, x)).map(
        json.dumps
    )
)
def test_anything_else_is_unreadable_and_says_what_to_do(stored: str) -> None:
    with pytest.raises(StateUnreadable, match=r"press Run again|format 1"):
        decode(stored)


@given(states(), st.data())
def test_a_damaged_state_is_read_whole_or_not_at_all(state: SeriesState, data: st.DataObject) -> None:
    raw = json.loads(encode(state))
    raw[data.draw(st.sampled_from(sorted(raw)))] = data.draw(
        st.none() | st.integers() | words | st.lists(st.integers())
    )
    try:
        read = decode(json.dumps(raw))
    except StateUnreadable:
        return
    assert read.phase in PHASES
    assert read.phase not in IN_WORK or read.key


STRANGE = [None, True, 0, -1, 1e308, float("nan"), "x", "", [], {}, ["a"], {"a": 1}, [[1]]]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to everything within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from places(one, (*path, key))


def use(state: SeriesState) -> None:
    """All that looks at a state without the archive."""
    census, neighbour = Census(), SeriesState("done", 1.0)
    census.change("s", None, state)
    census.change("n", None, neighbour)
    exposition(Figures(census.counts(), ("PACS",), True, 1.0, 2.0))
    decide(state, Seen(state.digest, 1.0), Contact(), 9e9, 1.0)
    json.dumps([
        full("s", state, Contact()),
        overview.queue_shown({"s": state, "n": neighbour}, lambda _: Contact(), 9e9),
        overview.deliveries(state),
        overview.by_attempt(state.history),
    ])  # fmt: skip
    message_about("s", state)


@pytest.mark.parametrize("phase", ["running", "routing", "held", "failed", "done"])
def test_no_damage_anywhere_in_a_state_breaks_the_view_of_the_others(phase: str) -> None:
    """One series of 500 on the status page, with a time that is a text, must not leave the page empty."""
    request = {"attempt": 1, "fingerprint": "f", "priority": "normal", "parameters": {"scale": [4, 1, 1]}}
    result = Result("2.25.1", "r", 9, {"lr_consistency_rmse_hu": 1.0}, {"2.25.2": "m"})
    whole = SeriesState(phase, 1.0, request=request, key="k", result=result, destinations=("PACS",), retry_at=2.0,
                        handed_at=1.0, routes=(Route("PACS", SENDING, "j", series="r"), Route("W", WAITING, series="r")),
                        obsolete=("o",), earlier=("2.25.9",), history=((1.0, "a"),))  # fmt: skip
    stored = encode(whole)
    use(decode(stored))
    for path in places(json.loads(stored)):
        for strange in STRANGE:
            raw = json.loads(stored)
            holder = raw
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = strange
            try:
                read = decode(json.dumps(raw))
            except StateUnreadable:
                continue
            use(read)


def test_a_state_of_a_later_version_is_not_guessed_at() -> None:
    raw = json.loads(encode(SeriesState("done", 1.0)))
    with pytest.raises(StateUnreadable, match="format 1"):
        decode(json.dumps({**raw, "format": 2}))

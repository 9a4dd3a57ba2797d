import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

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


def test_a_state_of_a_later_version_is_not_guessed_at() -> None:
    raw = json.loads(encode(SeriesState("done", 1.0)))
    with pytest.raises(StateUnreadable, match="format 1"):
        decode(json.dumps({**raw, "format": 2}))

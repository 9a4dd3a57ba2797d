"""Hours over midnight, over the change of the clocks, and so many a day."""

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nullsplat_node.rules.schedule import RECOUNT_SECONDS, Span, day_of, hold, opens_at, read_span

NIGHT, LUNCH = Span(22 * 60, 6 * 60), Span(12 * 60, 13 * 60)


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time with a summer time, given by rule so that no time zone data are needed."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("22:00-06:00", NIGHT),
        (" 12:00 - 13:00 ", LUNCH),
        ("0:00-24:00", Span(0, 1440)),
        ("24:00-06:00", None),
        ("22:60-06:00", None),
        ("06:00-06:00", None),
        ("22:00", None),
        ("٢٢:٠٠-٠٦:٠٠", None),
    ],
)
def test_hours_are_read_as_people_write_them(written: str, span: Span | None) -> None:
    assert read_span(written) == span


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        ("2026-11-22 21:59:59", "2026-11-22 22:00"),
        ("2026-11-22 22:00:00", None),
        ("2026-11-23 05:59:59", None),
        ("2026-11-23 06:00:00", "2026-11-23 12:00"),
        ("2026-11-23 12:30:00", None),
        ("2026-11-23 13:00:00", "2026-11-23 22:00"),
    ],
)
def test_hours_may_go_over_midnight_and_the_next_of_several_counts(now: str, opening: str | None) -> None:
    assert opens_at((NIGHT, LUNCH), at(now)) == at(opening or now)


def test_no_hours_are_any_hour() -> None:
    assert opens_at((), 123.0) == 123.0


def test_the_hour_that_a_spring_day_lacks_begins_when_the_clock_has_passed_it() -> None:
    """On 29 March 2026 at 02:00 CET it becomes 03:00 CEST: 25 hours are then 24 on the clock's face."""
    assert day_of(at("2026-03-29 12:00"))[1] - day_of(at("2026-03-29 12:00"))[0] == 23 * 3600
    assert opens_at((Span(150, 360),), at("2026-03-29 01:59")) == at("2026-03-29 03:30")


def test_hours_that_an_autumn_day_has_twice_open_twice() -> None:
    """Between both, the earlier opening is over: waiting for it would be asking without a pause."""
    first = at("2026-10-25T02:30")
    shortly_before_the_second = first + 3600 - 1200
    assert opens_at([Span(150, 180)], shortly_before_the_second) == first + 3600


def test_an_autumn_day_has_25_hours() -> None:
    begin, end = day_of(at("2026-10-25 12:00"))
    assert end - begin == 25 * 3600


@given(st.floats(1.7e9, 1.9e9), st.integers(0, 1439), st.integers(0, 1440))
def test_whatever_the_hours_the_next_opening_comes_within_a_day_and_a_clock_change(
    now: float, start: int, end: int
) -> None:
    if start != end:
        assert now <= opens_at((Span(start, end),), now) <= now + 25 * 3600


def test_a_job_waits_for_its_hours_and_says_so() -> None:
    found = hold((NIGHT,), None, 0, at("2026-11-22 15:00"))
    assert found is not None
    assert found.until == at("2026-11-22 22:00")
    assert found.words == "series are submitted only in 22:00-06:00"
    assert hold((NIGHT,), None, 0, at("2026-11-22 23:00")) is None


def test_what_is_too_much_for_a_day_waits_for_the_next_and_then_for_its_hours() -> None:
    now = at("2026-11-22 15:00")
    assert hold((), 3, 2, now) is None
    full = hold((), 3, 3, now)
    assert full is not None
    assert full.until == at("2026-11-23 00:00")
    assert full.words == "3 of at most 3 series a day were submitted, so it waits for the next day"
    lunch = hold((LUNCH,), 3, 3, now)
    assert lunch is not None
    assert lunch.until == at("2026-11-23 12:00")


def test_nothing_is_handed_over_before_the_day_is_counted() -> None:
    found = hold((), 3, None, 1000.0)
    assert found is not None
    assert found.until == 1000.0 + RECOUNT_SECONDS
    assert hold((), None, None, 1000.0) is None

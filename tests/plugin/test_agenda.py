from hypothesis import given
from hypothesis import strategies as st

from nullsplat_node.work.agenda import Agenda

entries = st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 100)), max_size=20)


@given(entries, st.floats(0, 100))
def test_what_is_due_comes_out_once_in_order_and_never_before_its_time(
    planned: list[tuple[str, float]], now: float
) -> None:
    agenda = Agenda()
    earliest: dict[str, float] = {}
    for series, at in planned:
        agenda.add(series, at)
        earliest[series] = min(at, earliest.get(series, at))
    taken = []
    while (series := agenda.pop_due(now)) is not None:
        taken.append(series)
    assert len(set(taken)) == len(taken)
    assert set(taken) == {series for series, at in earliest.items() if at <= now}
    assert [earliest[series] for series in taken] == sorted(earliest[series] for series in taken)
    assert agenda.next_time() == min((at for at in earliest.values() if at > now), default=None)


def test_what_was_dropped_does_not_come_out() -> None:
    agenda = Agenda()
    agenda.add("a", 1.0)
    agenda.drop("a")
    assert agenda.pop_due(9.0) is None

"""The simulated queue takes series in the order in which the node's queue would."""

import random

from nullsplat.planning.line import Line
from nullsplat.service.queue.priorities import PRIORITIES, Waiting, promotions

AGEING = 10.0


def order_of_the_node(series: list[tuple[str, int]], pace: int) -> list[int]:
    """Sweeps that see every job, until nothing moves any more, before each of the one worker's takings."""
    own = {n: name for n, (name, _) in enumerate(series)}
    now, order, served = dict(own), [], set()
    for moment in range(40, 40 + pace * len(series), pace):
        ages = sorted(now, key=lambda n: (series[n][1], n))
        while moved := promotions(
            [Waiting(str(n), own[n], now[n], moment - series[n][1]) for n in ages], AGEING, served
        ):
            now |= {int(key): target for key, target in moved.items()}
        order.append(min(now, key=lambda n: (PRIORITIES[now[n]], series[n][1], n)))
        served = {now[order[-1]]} if now[order[-1]] != own[order[-1]] else set()
        del now[order[-1]]
    return order


def order_of_the_line(series: list[tuple[str, int]], pace: int) -> list[int]:
    line, taken = Line(AGEING), []
    for number, (priority, since) in enumerate(series):
        line.put(priority, since, number)
    for moment in range(40, 40 + pace * len(series), pace):
        if taken:
            line.leave(taken[-1], moment)
        if (entry := line.take(moment)) is not None:
            taken.append(entry[1])
    return taken


def test_the_order_is_that_of_the_nodes_own_sweeps() -> None:
    chance, aged = random.Random(1), 0
    for _ in range(100):
        names = chance.choices(list(PRIORITIES), k=chance.randint(1, 25))
        series, pace = [(name, chance.randint(0, 40)) for name in names], chance.randint(4, 7)
        order = order_of_the_line(series, pace)
        assert order == order_of_the_node(series, pace), (series, pace)
        aged += order != sorted(range(len(series)), key=lambda n: (PRIORITIES[series[n][0]], series[n][1], n))
    assert aged > 50, "age must have mattered"


def test_an_old_backlog_leaves_urgent_series_every_other_turn() -> None:
    line, order = Line(AGEING), []
    for number in range(8):
        line.put("normal", 0.0, number)
    for number in (10, 11, 12):
        line.put("stat", 100.0, number)
    for moment in range(200, 300, 10):
        if order:
            line.leave(order[-1], moment)
        entry = line.take(moment)
        assert entry is not None
        order.append(entry[1])
    assert order == [0, 10, 1, 11, 2, 12, 3, 4, 5, 6]


def test_without_ageing_nobody_is_overtaken_by_age() -> None:
    line = Line(0.0)
    line.put("night", 0.0, 1)
    line.put("stat", 1e6, 2)
    assert [line.take(2e6), line.take(2e6), line.take(2e6)] == [(1e6, 2), (0.0, 1), None]

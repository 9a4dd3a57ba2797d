import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from nullsplat.core.errors import ConfigurationError, NullSplatError
from nullsplat.evaluation.bench.agreement import check_agreement
from nullsplat.evaluation.bench.bandwidth import LABEL, Bandwidth, bytes_of, measure_bandwidth, memory_row
from nullsplat.evaluation.bench.rows import Row
from nullsplat.evaluation.bench.timing import WARM_UPS, Timing, time_in_turn
from nullsplat.evaluation.bench.workloads import Conditions, conditions

CPU = torch.device("cpu")


class FakeClock:
    """Stands still while nobody works; each piece of work moves it by what it says it takes."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: Iterator[float]) -> None:
        self.now += next(seconds)


def test_the_median_counts_and_not_the_warm_up() -> None:
    clock = FakeClock()
    taken = itertools.chain([50.0] * WARM_UPS, [1.0, 9.0, 2.0])
    timing = time_in_turn({"a": lambda: clock.work(taken)}, 3, clock)["a"]
    assert timing.seconds == (1.0, 9.0, 2.0)
    assert (timing.median_ms, timing.fastest_ms) == (2000.0, 1000.0)


def test_ways_take_turns_so_that_a_slower_machine_slows_all() -> None:
    order: list[str] = []
    time_in_turn({name: lambda name=name: order.append(name) for name in "ab"}, 3)
    assert order == ["a"] * WARM_UPS + ["b"] * WARM_UPS + ["a", "b"] * 3


def test_the_device_has_settled_whenever_the_clock_is_read() -> None:
    events: list[str] = []

    def clock() -> float:
        events.append("clock")
        return float(len(events))

    time_in_turn({"a": lambda: events.append("run")}, 1, clock, lambda: events.append("settle"))
    assert events[WARM_UPS:] == ["settle", "clock", "run", "settle", "clock"]


def test_a_ratio_above_one_means_that_ours_is_faster() -> None:
    row = Row("projector", "forward", {"n": 1}, Timing((0.002, 0.004, 0.1)), "theirs", 10.0)
    assert row.ratio == 2.5
    assert row.as_dict()["ratio"] == 2.5


def test_without_a_reference_there_is_no_ratio() -> None:
    assert Row("stages", "stage1", {"n": 1}, Timing((1.0,))).ratio is None


def test_bandwidth_counts_every_byte_as_read_and_as_written() -> None:
    clock = FakeClock()
    steps = itertools.cycle([0.0, 0.25])  # every copy seems to take a quarter of a second

    def tick() -> float:
        clock.work(steps)
        return clock.now

    found = measure_bandwidth(Conditions("tiny", 3, CPU, tick))
    assert found.bytes_per_second == pytest.approx(2 * 32 * 2**20 / 0.25)
    assert [row.kernel for row in found.rows] == ["copy by torch", "copy by NumPy"]


def test_the_ratio_to_the_memory_is_the_share_of_its_bandwidth() -> None:
    row = Row("voxelise", "voxelise forward", {"n": 1}, Timing((0.5,)))
    against = memory_row(row, 25_000_000, Bandwidth(1e8, ()))
    assert (against.reference, against.reference_ms) == (LABEL, 250.0)
    assert against.ratio == 0.5


def test_bytes_are_those_of_the_elements() -> None:
    assert bytes_of(torch.zeros(3, 5), torch.zeros(2, dtype=torch.float64)) == 60 + 16


def test_different_answers_are_not_timed() -> None:
    same, other = np.array([1.0, 100.0]), np.array([1.0, 100.2])
    check_agreement("x", same, other, 0.01)
    with pytest.raises(NullSplatError, match="nothing was timed"):
        check_agreement("x", same, other, 0.001)
    with pytest.raises(NullSplatError):
        check_agreement("x", same, np.array([1.0, np.nan]), 0.01)


@pytest.mark.parametrize(("size", "repeats"), [("huge", 3), ("tiny", 0)])
def test_conditions_that_mean_nothing_are_refused(size: str, repeats: int) -> None:
    with pytest.raises(ConfigurationError):
        conditions(size, repeats)


def test_the_gpu_size_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match="needs a GPU"):
        conditions("gpu", 1)

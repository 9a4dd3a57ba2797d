"""The budget holds on a slow machine and on a busy one, and says what is over it."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.lanes import budget
from tests.lanes.budget import ONE_SECONDS, ONE_WORK, WHOLE_MINUTES, WHOLE_WORK, Load, Measured, judge

QUIET = Measured(60.0, 1.0, 0.0)
BUSY = Measured(60.0, 1.0, 0.5)


def noted(folder: Path, *costs: dict[str, Any]) -> Path:
    lines = [json.dumps({"test": "a", "seconds": 0.0, "cpu": 0.0, "slow": False} | cost) for cost in costs]
    (folder / "plain.costs.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_what_is_within_the_budget_is_not_mentioned(tmp_path: Path) -> None:
    assert list(judge(noted(tmp_path, {"seconds": ONE_SECONDS, "cpu": ONE_WORK}), QUIET)) == []


def test_a_test_that_computes_too_much_is_named_even_on_a_busy_machine(tmp_path: Path) -> None:
    (words,) = judge(noted(tmp_path, {"test": "dear", "cpu": ONE_WORK + 1}), BUSY)
    assert words.startswith("dear may take")


def test_a_test_that_waits_too_long_is_named_where_nobody_else_used_the_machine(tmp_path: Path) -> None:
    folder = noted(tmp_path, {"test": "idle", "seconds": ONE_SECONDS + 1})
    assert "idle" in next(judge(folder, QUIET))
    assert list(judge(folder, BUSY)) == []


def test_a_slow_machine_gets_more_time_and_a_fast_one_less(tmp_path: Path) -> None:
    folder = noted(tmp_path, {"cpu": 1.5 * ONE_WORK})
    assert list(judge(folder, Measured(60.0, 0.5, 0.0))) == []
    assert list(judge(noted(tmp_path, {"cpu": 0.75 * ONE_WORK}), Measured(60.0, 2.0, 0.0)))


def test_a_fast_machine_waits_as_long_as_any(tmp_path: Path) -> None:
    folder = noted(tmp_path, {"seconds": 0.9 * ONE_SECONDS})
    assert list(judge(folder, Measured(0.9 * 60 * WHOLE_MINUTES, 2.0, 0.0))) == []


def test_a_test_marked_slow_counts_in_the_whole_only(tmp_path: Path) -> None:
    assert list(judge(noted(tmp_path, {"cpu": 2 * ONE_WORK, "slow": True}), QUIET)) == []
    many = int(WHOLE_WORK / ONE_WORK / 2) + 1
    (words,) = judge(noted(tmp_path, *[{"cpu": 2 * ONE_WORK, "slow": True}] * many), QUIET)
    assert "all tests together" in words


def test_the_clock_counts_where_nobody_else_used_the_machine(tmp_path: Path) -> None:
    late = 60 * WHOLE_MINUTES + 1
    folder = noted(tmp_path, {})
    assert "all lanes must end" in next(judge(folder, Measured(late, 1.0, 0.0)))
    assert list(judge(folder, Measured(late, 1.0, 0.5))) == []


def test_the_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Load()
    measured = load.measured()
    assert measured.speed > 0
    busy = iter([100.0, 104.0])
    monkeypatch.setattr(budget, "_busy_seconds", lambda: next(busy))
    monkeypatch.setattr(budget, "_own_seconds", lambda: 0.0)
    monkeypatch.setattr(budget.os, "cpu_count", lambda: 2)
    clock = iter([0.0, 10.0])
    monkeypatch.setattr(budget.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(budget, "_piece_of_work", lambda: budget.REFERENCE)
    assert Load().measured() == Measured(10.0, 1.0, 0.2)

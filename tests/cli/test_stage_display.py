import io
import re
from typing import Any

import pytest
from rich.console import Console

from nullsplat.core import console
from nullsplat.core.console import StageDisplay


def shown(*, terminal: bool, **options: Any) -> tuple[StageDisplay, io.StringIO]:
    text = io.StringIO()
    return StageDisplay(Console(file=text, force_terminal=terminal, width=100, **options)), text


def test_elsewhere_than_on_a_terminal_few_plain_lines_appear() -> None:
    display, text = shown(terminal=False)
    with display:
        for step in range(1001):
            display("stage1", step / 1000, f"view {step}")
    lines = text.getvalue().splitlines()
    assert [line.split() for line in lines] == [
        ["stage1", "0%", "view", "0"],
        ["stage1", "100%", "view", "1000"],
    ]


def test_slow_work_shows_that_it_gets_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10_000, 10))
    monkeypatch.setattr(console.time, "monotonic", lambda: float(next(now)))
    display, text = shown(terminal=False)
    with display:
        for step in range(101):
            display("stage2", step / 100)
    assert len(text.getvalue().splitlines()) == 11


def test_a_finished_stage_is_told_once() -> None:
    display, text = shown(terminal=False)
    with display:
        for _ in range(3):
            display("store", 1.0, "5.0 s")
    assert text.getvalue().splitlines() == ["    store        100%  5.0 s"]


def test_a_terminal_shows_the_time_left() -> None:
    """Also where a stage reports more seldom than every half minute, when rich by itself shows none."""
    now = [0.0]
    display, text = shown(terminal=True, get_time=lambda: now[0])
    with display:
        for step in range(5):
            now[0] = 60.0 * step
            display("stage1", step / 10)
    assert re.search(r"left: (\x1b\[\d+m)?0:06:00", text.getvalue())


def test_a_terminal_gets_bars() -> None:
    display, text = shown(terminal=True)
    with display:
        display("stage1", 0.5, "half")
    assert "50%" in text.getvalue()
    assert "half" in text.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_fraction_out_of_range_and_markup_do_no_harm(terminal: bool) -> None:
    display, text = shown(terminal=terminal)
    with display:
        display("store", 1.7, "[/nonsense]")
    assert "100%" in text.getvalue()

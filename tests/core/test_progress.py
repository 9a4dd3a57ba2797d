"""Progress of parts adds up to progress of the whole."""

import io

import pytest
from rich.console import Console

from nullsplat.core.console import displayed
from nullsplat.core.errors import Cancelled
from nullsplat.core.progress import part


def test_a_part_is_told_to_the_whole_between_its_ends() -> None:
    told: list[tuple[float, str]] = []
    inner = part(part(lambda fraction, note="": told.append((fraction, note)), 0.5, 1.0), 0.0, 0.5)
    for fraction in (0.0, 0.5, 1.0):
        inner(fraction, f"{fraction:g}")
    assert told == [(0.5, "0"), (0.625, "0.5"), (0.75, "1")]


def test_whoever_stops_the_whole_stops_the_part() -> None:
    def stop(fraction: float, note: str = "") -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        part(stop, 0.2, 0.4)(0.1)


def shown(**console: bool) -> str:
    """What a run without a callback leaves on a console."""
    screen = io.StringIO()
    with displayed(None, Console(file=screen, width=80, **console)) as progress:
        progress("stage1", 0.5, "half way")
        progress("stage1", 1.0, "")
    return screen.getvalue()


def test_a_terminal_shows_bars_a_notebook_at_least_lines_and_a_pipe_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nullsplat.core.console.find_spec", lambda name: None)  # no widgets
    assert "100%" in shown(force_terminal=True)
    assert "━" in shown(force_terminal=True)
    displayed_html: list[str] = []
    monkeypatch.setattr("rich.jupyter.display", lambda segments, text: displayed_html.append(text))
    shown(force_jupyter=True)
    assert "half way" in "".join(displayed_html)
    assert shown(force_terminal=False) == ""


def test_a_callback_is_called_instead() -> None:
    told: list[str] = []
    with displayed(lambda stage, fraction, note="": told.append(stage)) as progress:
        progress("stage1", 1.0, "")
    assert told == ["stage1"]

"""Progress of parts adds up to progress of the whole."""

import pytest

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

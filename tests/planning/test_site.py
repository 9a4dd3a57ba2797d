"""Site files: what is wrong in one is named, and what is written is understood."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from nullsplat.core.errors import ConfigurationError, UnreadableFile
from nullsplat.planning.notation import DAY, HOUR, daily_window, seconds_of, weekly_window
from nullsplat.planning.site import Site, make_site, read_site

PAGE = Path(__file__).resolve().parents[2] / "docs/planning.md"
ONE = {"priority": "stat", "share": 1}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"serie_per_day": 1}, "serie_per_day is not a key; did you mean series_per_day?"),
        ({"workers": {"restrat": "1m"}}, "workers.restrat is not a key; did you mean restart?"),
        ({"series_per_day": 0}, "series_per_day: Input should be greater than 0"),
        ({"series_per_day": float("inf")}, "series_per_day: Input should be a finite number"),
        ({"weekdays": [1, 1]}, "weekdays: Tuple should have at least 7 items"),
        ({"hours": [0] * 24}, "must not be all 0"),
        ({"stream": [ONE | {"share": 0.5}]}, "must add up to 1"),
        ({"stream": [ONE | {"share": 0.5}] * 2}, "each priority may have one stream"),
        ({"stream": [ONE | {"priority": "urgent"}]}, "'stat', 'normal' or 'night'"),
        ({"stream": [ONE | {"within": "10"}]}, 'must be like "90s", "10m"'),
        ({"stream": [ONE | {"within": "0m"}]}, 'must be like "90s", "10m"'),
        ({"stream": [ONE | {"hours": "25:00-06:00"}]}, 'must be like "22:00-06:00"'),
        ({"stream": [ONE | {"hours": "20:61-06:00"}]}, 'must be like "22:00-06:00"'),
        ({"workers": {"restart": ""}}, 'must be like "90s", "10m"'),
        ({"workers": {"maintenance": "sunday 2-4"}}, 'must be like "sun 02:00-04:00"'),
        ({"jobs": {"failing": 1}}, "jobs.failing: Input should be less than 1"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        make_site(values, "site.toml")


def test_a_file_that_is_no_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="must be a site file in TOML"):
        read_site(tmp_path / "missing.toml")
    (tmp_path / "site.toml").write_text("series_per_day 400")
    with pytest.raises(UnreadableFile, match="must be a site file in TOML"):
        read_site(tmp_path / "site.toml")


def test_the_pages_example_shows_every_key_with_its_default(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.S)
    (tmp_path / "site.toml").write_text(example)
    assert read_site(tmp_path / "site.toml") == Site()
    written = tomllib.loads(example)
    assert written.keys() == Site.model_fields.keys()
    assert written["workers"].keys() == Site().workers.model_dump().keys()
    assert written["jobs"].keys() == Site().jobs.model_dump().keys()


@pytest.mark.parametrize(
    ("hours", "moment", "opens"),
    [
        ("20:00-06:00", 12 * HOUR, 20 * HOUR),
        ("20:00-06:00", 23 * HOUR, 23 * HOUR),
        ("20:00-06:00", 3 * HOUR, 3 * HOUR),
        ("20:00-06:00", 6 * HOUR, 20 * HOUR),
        ("00:00-24:00", 5 * HOUR, 5 * HOUR),
        ("08:30-12:00", 5 * DAY + 13 * HOUR, 6 * DAY + 8.5 * HOUR),
    ],
)
def test_hours_open_when_the_clock_says_so(hours: str, moment: float, opens: float) -> None:
    assert daily_window(hours).opens(moment) == opens


def test_durations_and_weekly_windows_are_read() -> None:
    assert [seconds_of(text) for text in ("90s", "10m", "1.5h", "1d")] == [90, 600, 5400, DAY]
    window = weekly_window("sun 23:00-01:00")
    assert (window.start, window.length) == (6 * DAY + 23 * HOUR, 2 * HOUR)

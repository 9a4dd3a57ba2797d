"""Rules in a running service: what the engine is told, what waits, and what stays as it was decided."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from tests.support.plugin.beside import SECRET, EngineBeside, running, wait_for_rounds, wait_until
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import Change, ct_series

from nullsplat_node.lifecycle.state import decode
from nullsplat_node.work.service import Service


class Noon:
    """A clock that begins at noon of some day, and can be moved on."""

    def __init__(self) -> None:
        noon = (datetime.now() - timedelta(days=1)).replace(hour=12, minute=0, second=0)
        self.offset = noon.timestamp() - time.time()

    def __call__(self) -> float:
        return time.time() + self.offset

    def move_to(self, hour: int, days: int = 0) -> None:
        then = (datetime.fromtimestamp(self()) + timedelta(days=days)).replace(hour=hour, minute=0, second=1)
        self.offset = then.timestamp() - time.time()


OLD = 3 * 86400.0  # seconds ago, so that series lie there before the clock's noon
FILE = Callable[[str], str]


@pytest.fixture
def orthanc() -> FakeOrthanc:
    return FakeOrthanc()


@pytest.fixture
def engine(orthanc: FakeOrthanc) -> Iterator[EngineBeside]:
    with EngineBeside(SECRET, calls=orthanc.calls, orthanc=orthanc) as watched:
        yield watched
    assert watched.problems == []


@pytest.fixture
def file(tmp_path: Path) -> FILE:
    def write(text: str) -> str:
        path = tmp_path / "rules.toml"
        path.write_text(text)
        return str(path)

    return write


def at_station(name: str) -> Change:
    def change(_: int, dataset: Dataset) -> None:
        dataset.StationName = name

    return change


def state_of(service: Service, series: str) -> str:
    return str(service.series(series)["state"])


ROUTES = """
[[rule]]
name = "never"
process = false
match.station = "PHANTOM"
[[rule]]
name = "at once"
priority = "stat"
scale = 3
samples = 2
preset = "preview"
slice_profile = "bell*1.2"
destinations = ["WARD"]
match.station = "CT_ED"
[[rule]]
name = "others"
match = { calling_aet = "SCANNER", called_aet = "NULLSPLAT" }
"""


def test_each_series_is_done_as_its_rule_says_and_its_row_names_the_rule(
    orthanc: FakeOrthanc, engine: EngineBeside, file: FILE
) -> None:
    urgent, ordinary = ct_series(4, change=at_station("CT_ED")), ct_series(4, change=at_station("CT1"))
    first, second = orthanc.add(urgent), orthanc.add(ordinary)
    phantom = orthanc.add(ct_series(4, change=at_station("PHANTOM")))
    with running(orthanc, engine, RulesFile=file(ROUTES)) as service:
        wait_until(lambda: state_of(service, first) == state_of(service, second) == "done")
        wait_until(lambda: state_of(service, phantom) == "ineligible")
        rows = {one["series"]: one for one in service.status()["series"]}
        shown = service.series(first)
    [request] = engine.jobs_of(urgent[0].SeriesInstanceUID)
    assert (request["priority"], request["parameters"]) == (
        "stat",
        {"preset": "preview", "scale": [3, 1, 1], "seed": 0, "samples": 2, "slice_profile": "bell*1.2"},
    )
    [request] = engine.jobs_of(ordinary[0].SeriesInstanceUID)
    assert (request["priority"], request["parameters"]["scale"]) == ("normal", [4, 1, 1])
    assert orthanc.sent == [(shown["derived"]["series"], "WARD")]
    assert (rows[first]["rule"], rows[second]["rule"]) == ("at once", "others")
    assert "rule 'at once': station CT_ED matches CT_ED" in rows[first]["message"]
    assert rows[phantom]["code"] == "left-alone"
    assert orthanc.remembered(first)["rule"] == "at once"


def test_a_changed_rule_touches_nothing_that_was_decided(
    orthanc: FakeOrthanc, engine: EngineBeside, file: FILE
) -> None:
    series, phantom = orthanc.add(ct_series(4)), orthanc.add(ct_series(4, change=at_station("PHANTOM")))
    with running(orthanc, engine, RulesFile=file(ROUTES)) as service:
        wait_until(lambda: state_of(service, series) == "done")
        wait_until(lambda: state_of(service, phantom) == "ineligible")
    before = orthanc.remembered(series), orthanc.remembered(phantom), dict(engine.requests)
    with running(orthanc, engine, RulesFile=file('[[rule]]\nname = "new"\nscale = 8')) as service:
        wait_until(lambda: state_of(service, series) == "done")
        wait_for_rounds(orthanc, 3)
        assert service.status()["settings"]["rules"][0]["name"] == "new"
    assert (orthanc.remembered(series), orthanc.remembered(phantom), engine.requests) == before


def test_the_destinations_are_those_of_the_day_the_series_was_taken(
    orthanc: FakeOrthanc, engine: EngineBeside, file: FILE
) -> None:
    engine.hold = True
    series = orthanc.add(ct_series(4))
    with running(orthanc, engine, RulesFile=file('[[rule]]\nname = "a"\ndestinations = ["OLD"]')) as service:
        wait_until(lambda: state_of(service, series) == "running")
    engine.hold = False
    with running(orthanc, engine, RulesFile=file('[[rule]]\nname = "a"\ndestinations = ["NEW"]')) as service:
        wait_until(lambda: state_of(service, series) == "done")
    assert [destination for _, destination in orthanc.sent] == ["OLD"]


NIGHT = '[[rule]]\nname = "night"\nhours = "22:00-06:00"'


def test_a_job_waits_for_its_hours_also_over_a_restart_and_is_handed_over_then(
    orthanc: FakeOrthanc, engine: EngineBeside, file: FILE
) -> None:
    clock, series = Noon(), orthanc.add(ct_series(4), age=OLD)
    for _ in range(2):
        with running(orthanc, engine, clock, RulesFile=file(NIGHT)) as service:
            wait_until(lambda: "submitted only in 22:00-06:00" in service.series(series)["message"])
            wait_for_rounds(orthanc, 2)
            shown = service.series(series)
            assert (shown["state"], shown["title"]) == ("pending", "waiting, held by its rule")
    assert engine.requests == {}
    clock.move_to(22)
    with running(orthanc, engine, clock, RulesFile=file(NIGHT)) as service:
        wait_until(lambda: state_of(service, series) == "done")


def test_other_hours_hold_for_what_waits_already(
    orthanc: FakeOrthanc, engine: EngineBeside, file: FILE
) -> None:
    clock, series = Noon(), orthanc.add(ct_series(4), age=OLD)
    with running(orthanc, engine, clock, RulesFile=file(NIGHT)) as service:
        wait_until(lambda: "22:00" in service.series(series)["message"])
    with running(orthanc, engine, clock, RulesFile=file('[[rule]]\nname = "night"')) as service:
        wait_until(lambda: state_of(service, series) == "done")


def test_a_person_who_asks_does_not_wait_for_the_night(
    orthanc: FakeOrthanc, engine: EngineBeside, file: FILE
) -> None:
    clock, series = Noon(), orthanc.add(ct_series(4), age=OLD)
    with running(orthanc, engine, clock, RulesFile=file(NIGHT)) as service:
        wait_until(lambda: "22:00" in service.series(series)["message"])
        service.act(series, "cancel")
        service.act(series, "again")
        wait_until(lambda: state_of(service, series) == "done")


DAILY = '[[rule]]\nname = "few"\nmax_per_day = 2\nmatch.station = "CT1"\n[[rule]]\nname = "rest"'


def test_what_is_too_much_for_a_day_waits_and_says_so_also_after_a_restart_or_a_deletion(
    orthanc: FakeOrthanc, engine: EngineBeside, file: FILE
) -> None:
    clock = Noon()
    capped = [orthanc.add(ct_series(4, change=at_station("CT1")), age=OLD) for _ in range(3)]
    free = [orthanc.add(ct_series(4, change=at_station("CT2")), age=OLD) for _ in range(3)]
    with running(orthanc, engine, clock, RulesFile=file(DAILY)) as service:
        wait_until(lambda: service.status()["counts"]["done"] == 5)
        [waiting] = [series for series in capped if state_of(service, series) == "pending"]
        wait_until(lambda: "2 of at most 2 series a day" in service.series(waiting)["message"])
        assert all(state_of(service, series) == "done" for series in free)
        orthanc.delete(next(series for series in capped if series != waiting))
        wait_until(lambda: service.status()["counts"]["done"] == 4)
        another = orthanc.add(ct_series(4, change=at_station("CT1")), age=OLD)
        wait_until(lambda: "2 of at most 2 series a day" in service.series(another)["message"])
        assert state_of(service, waiting) == state_of(service, another) == "pending"
    assert len(engine.requests) == 5


def test_the_day_is_counted_from_what_the_archive_remembers_and_ends_at_midnight(
    orthanc: FakeOrthanc, engine: EngineBeside, file: FILE
) -> None:
    clock = Noon()
    capped = [orthanc.add(ct_series(4, change=at_station("CT1")), age=OLD) for _ in range(3)]
    with running(orthanc, engine, clock, RulesFile=file(DAILY)) as service:
        wait_until(lambda: service.status()["counts"]["done"] == 2)
        [waiting] = [series for series in capped if state_of(service, series) == "pending"]
    with running(orthanc, engine, clock, RulesFile=file(DAILY)) as service:
        wait_until(lambda: "2 of at most 2 series a day" in service.series(waiting)["message"])
        wait_for_rounds(orthanc, 3)
        assert len(engine.requests) == 2
        clock.move_to(0, days=1)
        wait_until(lambda: state_of(service, waiting) == "done")


def test_late_slices_of_a_series_that_was_counted_today_do_not_wait(
    orthanc: FakeOrthanc, engine: EngineBeside, file: FILE
) -> None:
    clock, source = Noon(), ct_series(6)
    series = orthanc.add(source[:-1], age=OLD)
    with running(
        orthanc, engine, clock, RulesFile=file('[[rule]]\nname = "one"\nmax_per_day = 1')
    ) as service:
        wait_until(lambda: state_of(service, series) == "done")
        orthanc.add(source, age=OLD)
        wait_until(lambda: len(engine.jobs_of(source[0].SeriesInstanceUID)) == 2)
        wait_until(lambda: state_of(service, series) == "done")


def test_a_state_of_a_version_without_rules_is_understood() -> None:
    written = (
        '{"format":1,"phase":"done","since":1.0,"digest":"d","decision":"low dose","code":"","message":"",'
        '"forced":false,"request":{"attempt":1},"key":"k","retries":0,"retry_at":null,"result":null,'
        '"routes":[],"obsolete":[],"earlier":[],"source":"","history":[]}'
    )
    state = decode(written)
    assert (state.rule, state.destinations, state.handed_at) == ("", None, None)

"""The service over a make-believe Orthanc, where its order of doing things can be watched."""

from collections.abc import Iterator

import pytest
from plugin_support.beside import SECRET, running, wait_until
from plugin_support.fake_engine import FakeEngine
from plugin_support.fake_orthanc import FakeOrthanc
from plugin_support.series import ct_series
from pydicom.dataset import Dataset

from nullsplat_node.archive import NotInArchive
from nullsplat_node.service import NotPossible

WRITE = "PUT"


@pytest.fixture
def orthanc() -> FakeOrthanc:
    return FakeOrthanc()


@pytest.fixture
def engine(orthanc: FakeOrthanc) -> Iterator[FakeEngine]:
    """An engine that notes what it is asked in the same list as Orthanc."""
    with FakeEngine(SECRET, hold=True, calls=orthanc.calls) as watched:
        yield watched
    assert watched.problems == []


def test_the_state_is_written_before_the_engine_hears_of_the_series(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    series = orthanc.add(ct_series(4))
    with running(orthanc, engine) as service:
        wait_until(lambda: service.series(series)["state"] == "running")
    important = [
        method for method, path in orthanc.calls if method == WRITE or method.startswith("engine PUT")
    ]
    assert important[:2] == [WRITE, "engine PUT"]


def test_a_full_disk_keeps_the_engine_out_of_it_until_the_state_can_be_written(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    series, orthanc.full = orthanc.add(ct_series(4)), True
    with running(orthanc, engine) as service:
        wait_until(lambda: sum(method == WRITE for method, _ in orthanc.calls) >= 2)
        assert service.series(series)["state"] == "new"
        assert engine.requests == {}
        orthanc.full = False
        wait_until(lambda: service.series(series)["state"] == "running")


def test_another_modality_is_refused_without_reading_an_image(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    def mr(_: int, dataset: Dataset) -> None:
        dataset.Modality = "MR"

    series = orthanc.add(ct_series(4, change=mr))
    with running(orthanc, engine) as service:
        wait_until(lambda: service.series(series)["state"] == "ineligible")
    assert not [path for _, path in orthanc.calls if path.startswith("/instances")]


def test_the_past_of_an_old_archive_is_left_alone_until_a_person_asks(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    series = orthanc.add(ct_series(4), age=400 * 86400)
    with running(orthanc, engine) as service:
        wait_until(lambda: service.series(series)["state"] == "ineligible")
        assert service.series(series)["code"] == "too-old"
        assert service.wish(series, "run")["decision"].startswith("a person asked for it")
        wait_until(lambda: service.series(series)["state"] == "running")


def test_nothing_is_taken_without_a_person_when_automatic_is_off(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    series = orthanc.add(ct_series(4))
    with running(orthanc, engine, Automatic=False) as service:
        wait_until(lambda: service.series(series)["state"] == "ineligible")
        assert engine.requests == {}
        service.wish(series, "run")
        wait_until(lambda: service.series(series)["state"] == "running")


def test_a_person_cannot_ask_for_what_still_arrives_or_is_not_there(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    series = orthanc.add(ct_series(4), age=-100)
    with running(orthanc, engine) as service:
        with pytest.raises(NotPossible, match="instances may still arrive; ask again in") as refusal:
            service.wish(series, "run")
        assert refusal.value.code == "still-arriving"
        with pytest.raises(NotInArchive):
            service.wish("0" * 44, "run")


def test_a_settled_series_costs_two_questions_a_round_and_no_writing(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    series = orthanc.add(ct_series(1))
    with running(orthanc, engine) as service:
        wait_until(lambda: service.series(series)["state"] == "ineligible")
        rounds = [path for _, path in orthanc.calls].count("/series")
        before = len(orthanc.calls)
        wait_until(lambda: [path for _, path in orthanc.calls].count("/series") >= rounds + 3)
        per_round = (len(orthanc.calls) - before) / 3
    assert per_round <= 4
    assert [method for method, _ in orthanc.calls].count(WRITE) == 1


def test_the_series_that_matter_come_first_in_the_status(orthanc: FakeOrthanc, engine: FakeEngine) -> None:
    good = orthanc.add(ct_series(4))
    refused = [orthanc.add(ct_series(1)) for _ in range(3)]
    with running(orthanc, engine) as service:
        wait_until(
            lambda: service.status()["counts"]["ineligible"] == 3 and service.status()["counts"]["running"]
        )
        listed = [one["series"] for one in service.status()["series"]]
    assert listed[0] == good
    assert set(listed) == {good, *refused}

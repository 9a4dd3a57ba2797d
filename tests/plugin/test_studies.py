"""Completeness: each series of a study is handled once, late slices supersede, and nothing is done twice."""

from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset
from tests.support.plugin.beside import SECRET, EngineBeside, running, wait_for_rounds, wait_until
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import ct_series

from nullsplat_node.work.service import Service


@pytest.fixture
def orthanc() -> FakeOrthanc:
    return FakeOrthanc()


@pytest.fixture
def engine(orthanc: FakeOrthanc) -> Iterator[EngineBeside]:
    with EngineBeside(SECRET, calls=orthanc.calls, orthanc=orthanc) as watched:
        yield watched
    assert watched.problems == []


def attempts(engine: EngineBeside, source: list[Dataset]) -> list[int]:
    return [request["attempt"] for request in engine.jobs_of(source[0].SeriesInstanceUID)]


def wait_for(service: Service, series: str, state: str) -> None:
    wait_until(lambda: service.series(series)["state"] == state)


def test_every_series_of_a_study_is_handled_once_and_results_are_not_taken(
    orthanc: FakeOrthanc, engine: EngineBeside
) -> None:
    def of_one_study(_: int, dataset: Dataset) -> None:
        dataset.StudyInstanceUID = "1.2.3"

    sources = [ct_series(slices, change=of_one_study) for slices in (4, 5, 6)]
    series = [orthanc.add(source) for source in sources]
    scout = orthanc.add(ct_series(1, change=of_one_study))
    with running(orthanc, engine) as service:
        for one in series:
            wait_for(service, one, "done")
        wait_for(service, scout, "ineligible")
        for one in [*series, scout]:
            service.series_changed(one)  # Orthanc may tell it as often as it likes
        wait_for_rounds(orthanc, 3)
        counts = service.status()["counts"]
    assert [attempts(engine, source) for source in sources] == [[1], [1], [1]]
    assert (counts["done"], counts["result"], counts["ineligible"]) == (3, 3, 1)


def test_late_slices_supersede_a_running_job_and_then_a_finished_one(
    orthanc: FakeOrthanc, engine: EngineBeside
) -> None:
    engine.hold = True
    source = ct_series(6)
    series = orthanc.add(source[:4])
    with running(orthanc, engine) as service:
        wait_for(service, series, "running")
        first = service.series(series)["job"]["key"]
        orthanc.add(source[:5])
        wait_until(lambda: attempts(engine, source) == [1, 2])
        wait_until(lambda: engine.cancelled == [first])
        engine.hold = False
        wait_for(service, series, "done")
        before = service.series(series)["derived"]
        orthanc.add(source)
        wait_until(lambda: attempts(engine, source) == [1, 2, 3])
        wait_for(service, series, "done")
        after = service.series(series)["derived"]
        wait_for_rounds(orthanc, 2)
        wait_for(service, before["series"], "result")
    assert (before["instances"], after["instances"]) == (20, 24)
    assert after["series_instance_uid"] != before["series_instance_uid"]
    assert attempts(engine, source) == [1, 2, 3]


def test_the_same_slices_sent_again_are_not_done_again(orthanc: FakeOrthanc, engine: EngineBeside) -> None:
    source = ct_series(4)
    series = orthanc.add(source)
    with running(orthanc, engine) as service:
        wait_for(service, series, "done")
        orthanc.add(list(reversed(source)), age=1800)
        service.series_changed(series)
        wait_for_rounds(orthanc, 3)
        assert service.series(series)["state"] == "done"
    assert attempts(engine, source) == [1]


def test_a_series_that_was_deleted_and_sent_again_finds_its_result(
    orthanc: FakeOrthanc, engine: EngineBeside
) -> None:
    source = ct_series(4)
    series = orthanc.add(source)
    with running(orthanc, engine) as service:
        wait_for(service, series, "done")
        before = service.series(series)["derived"]["series_instance_uid"]
        orthanc.delete(series)
        wait_until(lambda: service.status()["counts"]["done"] == 0)
        orthanc.add(source)
        wait_until(lambda: service.status()["counts"]["done"] == 1)
        assert service.series(series)["derived"]["series_instance_uid"] == before
    assert attempts(engine, source) == [1]


def test_slices_that_come_and_go_leave_a_finished_series_finished(
    orthanc: FakeOrthanc, engine: EngineBeside
) -> None:
    source = ct_series(6)
    series = orthanc.add(source)
    with running(orthanc, engine) as service:
        wait_for(service, series, "done")
        orthanc.add([*source[:2], *source[3:]])  # one is deleted, so it cannot be done now
        wait_until(lambda: "the instances changed" in service.series(series)["history"][-1]["text"])
        orthanc.add(source)
        wait_until(lambda: "again those that" in service.series(series)["history"][-1]["text"])
        wait_for_rounds(orthanc, 2)
        assert service.series(series)["state"] == "done"
    assert attempts(engine, source) == [1]


def test_a_series_deleted_in_the_middle_of_its_job_and_sent_again_is_done(
    orthanc: FakeOrthanc, engine: EngineBeside
) -> None:
    engine.hold = True
    source = ct_series(4)
    series = orthanc.add(source)
    with running(orthanc, engine) as service:
        wait_for(service, series, "running")
        key = service.series(series)["job"]["key"]
        orthanc.delete(series)
        wait_until(lambda: engine.cancelled == [key])
        engine.hold = False
        orthanc.add(source)
        wait_until(lambda: service.status()["counts"]["done"] == 1)
    assert attempts(engine, source) == [1, 2]


def test_a_job_that_is_wanted_again_before_the_engine_could_be_told_to_drop_it_goes_on(
    orthanc: FakeOrthanc, engine: EngineBeside
) -> None:
    engine.hold = True
    source = ct_series(4)
    series = orthanc.add(source)
    with running(orthanc, engine) as service:
        wait_for(service, series, "running")
        engine.stop()
        orthanc.delete(series)
        wait_until(lambda: service.status()["counts"]["running"] == 0)
        orthanc.add(source)
        wait_for(service, series, "pending")
        engine.start()
        wait_for(service, series, "running")
        wait_for_rounds(orthanc, 3)
        engine.hold = False
        wait_for(service, series, "done")
    assert engine.cancelled == []
    assert attempts(engine, source) == [1]

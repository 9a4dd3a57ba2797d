"""The service over a make-believe Orthanc, where its order of doing things can be watched."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from tests.support.plugin.beside import (
    SECRET,
    EngineBeside,
    questions_a_round,
    running,
    wait_for_rounds,
    wait_until,
)
from tests.support.plugin.fake_engine import FakeEngine
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import ct_series

from nullsplat_node.archive.archive import NotInArchive
from nullsplat_node.engine.contract import fingerprint, parameters
from nullsplat_node.work.action_handler import NotPossible
from nullsplat_node.work.audit import Entry
from nullsplat_node.work.service import Service
from nullsplat_node.work.steps import RESULT_ATTEMPTS

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
        assert service.act(series, "run")["decision"].startswith("a person asked for it")
        wait_until(lambda: service.series(series)["state"] == "running")


def test_nothing_is_taken_without_a_person_when_automatic_is_off(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    series = orthanc.add(ct_series(4))
    with running(orthanc, engine, Automatic=False) as service:
        wait_until(lambda: service.series(series)["state"] == "ineligible")
        assert engine.requests == {}
        service.act(series, "run")
        wait_until(lambda: service.series(series)["state"] == "running")


def test_a_person_cannot_ask_for_what_still_arrives_or_is_not_there(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    series = orthanc.add(ct_series(4), age=-100)
    with running(orthanc, engine) as service:
        with pytest.raises(NotPossible, match="instances may still arrive; ask again in") as refusal:
            service.act(series, "run")
        assert refusal.value.code == "still-arriving"
        with pytest.raises(NotInArchive):
            service.act("0" * 44, "run")


def test_a_settled_series_costs_two_questions_a_round_and_no_writing(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    series = orthanc.add(ct_series(1))
    with running(orthanc, engine) as service:
        wait_until(lambda: service.series(series)["state"] == "ineligible")
        assert max(questions_a_round(orthanc, 3)) <= 4
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


def test_a_failed_series_is_released_as_the_same_attempt(orthanc: FakeOrthanc, engine: FakeEngine) -> None:
    series = orthanc.add(ct_series(4))
    engine.outcome = {"code": "internal", "message": "broken", "retryable": False}
    engine.hold = False
    lines: list[Entry] = []
    with running(orthanc, engine, record=lines.append) as service:
        wait_until(lambda: service.series(series)["state"] == "failed")
        key = service.series(series)["job"]["key"]
        engine.hold = True
        shown = service.act(series, "release")
        assert (shown["state"], shown["job"]["key"]) == ("running", key)
        wait_until(lambda: service.series(series).get("progress") is not None)
    assert list(engine.requests) == [key]
    assert [line["what"] for line in lines] == ["requested", "started", "failed", "released"]


def test_what_the_engine_does_not_release_stays_failed_and_its_reason_is_told(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    series = orthanc.add(ct_series(4))
    engine.outcome, engine.hold = {"code": "internal", "message": "broken", "retryable": False}, False
    with running(orthanc, engine) as service:
        wait_until(lambda: service.series(series)["state"] == "failed")
        engine.forget()
        with pytest.raises(NotPossible, match="there is no such job"):
            service.act(series, "release")
        engine.stop()
        with pytest.raises(
            NotPossible, match=r"cannot be reached.*try again when it can be reached"
        ) as refusal:
            service.act(series, "release")
        assert refusal.value.code == "engine-away"
        assert service.series(series)["state"] == "failed"


def test_a_waiting_series_tells_its_place_and_can_be_moved(orthanc: FakeOrthanc, engine: FakeEngine) -> None:
    source = ct_series(4)
    engine.positions[str(source[0].SeriesInstanceUID)] = 3
    series = orthanc.add(source)
    lines: list[Entry] = []
    with running(orthanc, engine, record=lines.append) as service:
        wait_until(lambda: service.series(series).get("position") == 3)
        assert service.series(series)["title"] == "waiting in the engine's queue"
        assert service.series(series)["movable"]
        moved = service.move(series, "stat")
        assert (moved["priority"], moved["position"]) == ("stat", 3), (
            "its place is known until it is told anew"
        )
        (key,) = engine.requests
        assert (
            engine.answer("GET", f"/v1/jobs/{key}", b"", f"Bearer {SECRET}")[1]["request"]["priority"]
            == "stat"
        )
        engine.positions.clear()
        with pytest.raises(NotPossible, match="only a queued job can be moved"):
            service.move(series, "night")
        assert service.series(series)["priority"] == "stat"
    assert [line["what"] for line in lines] == ["requested", "started", "moved"]


def test_a_series_that_the_engine_has_not_heard_of_yet_is_moved_here(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    engine.stop()
    series = orthanc.add(ct_series(4))
    with running(orthanc, engine) as service:
        wait_until(lambda: service.series(series)["state"] == "pending")
        service.move(series, "night")
        engine.start()
        wait_until(lambda: service.series(series)["state"] == "running")
    (request,) = engine.requests.values()
    assert request["priority"] == "night"


def test_the_queue_is_paused_and_resumed_for_a_person(orthanc: FakeOrthanc, engine: FakeEngine) -> None:
    lines: list[Entry] = []
    with running(orthanc, engine, record=lines.append) as service:
        assert service.switch("pause")["paused_since"]
        assert engine.paused
        assert service.overview("")["engine"]["paused_since"]
        assert service.switch("resume")["paused_since"] is None
        engine.workers = [{"id": "gpu0", "job": None, "seen_at": "2026-11-22T13:00:00Z"}]
        wait_until(lambda: service.overview("")["engine"]["workers"] == engine.workers)
    assert [line["what"] for line in lines] == ["paused", "resumed"]
    assert {line["who"] for line in lines} == {"node"}


def test_what_another_client_ordered_at_the_engine_is_in_the_queue_as_long_as_it_is_open(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    datasets = ct_series(4)
    series, uid = orthanc.add(datasets), str(datasets[0].SeriesInstanceUID)
    with running(orthanc, engine, Automatic=False) as service:
        wait_until(lambda: service.series(series)["state"] == "ineligible")
        order = request_of(orthanc, uid)
        key = engine.order(order)
        engine.order({**order, "series_instance_uid": "2.25.1"})  # of a series that is not here
        wait_until(lambda: shown(service, series)["state"] == "running")
        (row,) = service.overview("in-progress")["queue"]["rows"]
        assert (row["series"], row["actions"], row["movable"]) == (series, [], False)
        assert row["message"].startswith("ordered at the engine by another client")
        assert (row["progress"], row["stage"], row["attempt"]) == (0.25, "fetch", 1)
        assert service.overview("not-taken")["queue"]["rows"][0]["state"] == "ineligible"
        engine.positions[uid] = 2
        wait_until(lambda: shown(service, series).get("position") == 2)
        engine.answer("DELETE", f"/v1/jobs/{key}", b"", f"Bearer {SECRET}")
        wait_until(lambda: shown(service, series)["state"] == "ineligible")
        engine.stop()
        wait_until(lambda: service.overview("")["engine"]["trouble"])


def test_the_same_order_of_another_client_is_the_nodes_own_job_and_is_not_done_twice(
    orthanc: FakeOrthanc, engine: FakeEngine
) -> None:
    datasets = ct_series(4)
    series, uid = orthanc.add(datasets), str(datasets[0].SeriesInstanceUID)
    with running(orthanc, engine, Automatic=False) as service:
        wait_until(lambda: service.series(series)["state"] == "ineligible")
        service.act(series, "run")
        wait_until(lambda: service.series(series)["state"] == "running")
        (own,) = engine.jobs_of(uid)
        service.act(series, "cancel")
        wait_until(lambda: service.series(series)["state"] == "cancelled")
        key = engine.order({**own, "attempt": 2})
        wait_until(lambda: shown(service, series)["message"].startswith("ordered at the engine by another"))
        service.act(series, "again")
        wait_until(lambda: service.series(series)["state"] == "running")
        assert service.series(series)["job"]["key"] == key
        assert len(engine.jobs_of(uid)) == 2
        wait_until(lambda: "cancel" in shown(service, series)["actions"])


def shown(service: Service, series: str) -> dict[str, Any]:
    """The row of a series on the status page."""
    return next(row for row in service.overview("")["queue"]["rows"] if row["series"] == series)


def request_of(orthanc: FakeOrthanc, uid: str) -> dict[str, Any]:
    """The request of another client for a series."""
    datasets = orthanc.datasets(uid)
    return {
        "study_instance_uid": str(datasets[0].StudyInstanceUID),
        "series_instance_uid": uid,
        "fingerprint": fingerprint(uid, [str(one.SOPInstanceUID) for one in datasets]),
        "attempt": 1,
        "parameters": parameters("preview", [2, 1, 1], 0, 1),
        "priority": "normal",
    }


def test_a_priority_given_while_the_engine_is_asked_reaches_the_engine(
    orthanc: FakeOrthanc, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ct_series(4)
    engine.positions[str(source[0].SeriesInstanceUID)] = 3
    answer, asked = engine.answer, []
    series = orthanc.add(source)

    def slowly(method: str, path: str, body: bytes, token: str) -> object:
        told = answer(method, path, body, token)
        if method == "PUT" and not asked:
            asked.append(service.move(series, "stat"))  # before the node heard that the engine has it
        return told

    monkeypatch.setattr(engine, "answer", slowly)
    with running(orthanc, engine) as service:
        wait_until(lambda: service.series(series)["state"] == "running")
        (key,) = engine.requests
        status = answer("GET", f"/v1/jobs/{key}", b"", f"Bearer {SECRET}")[1]
    assert status["request"]["priority"] == "stat"


def test_a_result_that_never_arrives_here_is_not_made_over_and_over(orthanc: FakeOrthanc) -> None:
    series = orthanc.add(ct_series(4))
    elsewhere = EngineBeside(SECRET, orthanc=orthanc, store_results=False)
    with elsewhere, running(orthanc, elsewhere) as service:
        wait_until(
            lambda: (
                service.series(series)["state"] == "failed"
                and "cancel" not in service.series(series)["actions"]
            )
        )
    assert len(elsewhere.requests) == RESULT_ATTEMPTS


def test_a_clock_that_is_set_back_stops_nothing(orthanc: FakeOrthanc, engine: FakeEngine) -> None:
    shift = [0.0]
    engine.stop()
    series = orthanc.add(ct_series(4), age=7200)
    with running(orthanc, engine, clock=lambda: time.time() + shift[0]) as service:
        wait_until(lambda: "cannot be reached" in service.series(series)["message"])
        shift[0] = -3600.0
        engine.start()
        wait_until(lambda: service.series(series)["state"] == "running")
        wait_for_rounds(orthanc, 2)

"""What goes with a result (its report, maps): recognised as ours, never taken, routed with the images."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pydicom.dataset import Dataset
from tests.support.plugin.beside import SECRET, EngineBeside, running, wait_for_rounds, wait_until
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import ct_series

from nullsplat_node.engine.contract import ContractError, read_job_status
from nullsplat_node.lifecycle.state import decode, encode
from nullsplat_node.work.service import Service


@pytest.fixture
def orthanc() -> FakeOrthanc:
    return FakeOrthanc()


@pytest.fixture
def engine(orthanc: FakeOrthanc) -> Iterator[EngineBeside]:
    with EngineBeside(SECRET, reports=True, orthanc=orthanc) as engine:
        yield engine
    assert engine.problems == []


def done(service: Service, series: str) -> None:
    wait_until(lambda: service.series(series)["state"] == "done")


def others(orthanc: FakeOrthanc, source: str) -> tuple[str, str]:
    """The identifiers of the images and of the report."""
    found = {modality: series for series, modality in orthanc.modalities().items() if series != source}
    return found["CT"], found["SR"]


def test_the_report_is_sent_with_the_images(orthanc: FakeOrthanc, engine: EngineBeside) -> None:
    source = orthanc.add(ct_series(4))
    with running(orthanc, engine, Destinations=["PACS", "TEACHING"]) as service:
        done(service, source)
    images, report = others(orthanc, source)
    assert sorted(orthanc.sent) == sorted(
        (series, destination) for series in (images, report) for destination in ("PACS", "TEACHING")
    )


def test_a_site_may_send_the_images_alone(orthanc: FakeOrthanc, engine: EngineBeside) -> None:
    source = orthanc.add(ct_series(4))
    with running(orthanc, engine, Destinations=["PACS"], SendFurther=False) as service:
        done(service, source)
    assert orthanc.sent == [(others(orthanc, source)[0], "PACS")]


def test_the_report_is_marked_as_ours_and_never_taken(orthanc: FakeOrthanc, engine: EngineBeside) -> None:
    source = orthanc.add(ct_series(4))
    with running(orthanc, engine) as service:
        done(service, source)
        wait_for_rounds(orthanc, 2)
        images, report = others(orthanc, source)
        assert [service.series(one)["state"] for one in (images, report)] == ["result", "result"]
    assert orthanc.remembered(report)["source"] == source
    assert len(engine.requests) == 1


@dataclass
class LosesReports(EngineBeside):
    """An engine whose archive is another one for what is no image."""

    def _store(self, study: str, derived: list[Dataset]) -> None:
        if derived[0].Modality != "SR":
            super()._store(study, derived)


def test_a_missing_report_is_a_missing_result(orthanc: FakeOrthanc) -> None:
    source = orthanc.add(ct_series(4))
    with (
        LosesReports(SECRET, reports=True, orthanc=orthanc) as engine,
        running(orthanc, engine, MaxAttempts=1) as node,
    ):
        wait_until(lambda: node.series(source)["state"] == "failed")
        shown = node.series(source)
    assert shown["code"] == "result-missing"
    assert "instances of the result must be in this archive, 1 are not" in shown["message"]


def test_a_deleted_report_does_not_hold_the_images_up(orthanc: FakeOrthanc, engine: EngineBeside) -> None:
    source, orthanc.unreachable = orthanc.add(ct_series(4)), True
    with running(orthanc, engine, Destinations=["PACS"]) as service:
        wait_until(lambda: service.series(source)["state"] == "routing")
        images, report = others(orthanc, source)
        orthanc.delete(report)
        orthanc.unreachable = False
        done(service, source)
    assert orthanc.sent == [(images, "PACS")]


def test_the_state_remembers_what_goes_along(orthanc: FakeOrthanc, engine: EngineBeside) -> None:
    source = orthanc.add(ct_series(4))
    with running(orthanc, engine) as service:
        done(service, source)
    state = decode(json.dumps(orthanc.remembered(source)))
    assert decode(encode(state)) == state
    assert state.result is not None
    (uid,) = state.result.further
    assert uid in state.derived_uids
    assert state.result.further[uid] == others(orthanc, source)[1]


@pytest.mark.parametrize("further", ["SR", [["2.25.1"]], [{"series_instance_uid": "2.25.1"}],
                                     [{"series_instance_uid": "x", "sop_instance_uids": ["2.25.1"]}]])  # fmt: skip
def test_a_list_that_is_none_is_refused(further: object) -> None:
    result = {"series_instance_uid": "2.25.1", "sop_instance_uids": ["2.25.2"], "report": {}}
    answer = {"key": "k", "state": "succeeded", "progress": 1, "stages": []}
    assert read_job_status({**answer, "result": result}, "k").result
    with pytest.raises(ContractError):
        read_job_status({**answer, "result": {**result, "further_series": further}}, "k")

"""Delivered means kept, where the destination offers storage commitment: what its reports, and their absence, lead to."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.plugin.beside import SECRET, EngineBeside, running, wait_until
from tests.support.plugin.fake_orthanc import UNKNOWN_RESOURCE, FakeOrthanc, OrthancException
from tests.support.plugin.series import ct_series

from nullsplat_node.checks import SettingsError
from nullsplat_node.lifecycle import routing
from nullsplat_node.lifecycle.delivery_faults import cure
from nullsplat_node.lifecycle.routing import COMMITTING, Backoff, Persistence, Route
from nullsplat_node.settings import read_settings
from nullsplat_node.work.service import Service

Reporting = Callable[[set[str]], dict[str, Any]]


def kept(uids: set[str]) -> dict[str, Any]:
    return {"Status": "Success", "Success": [{"SOPInstanceUID": uid} for uid in uids], "Failures": []}


def none_yet(_: set[str]) -> dict[str, Any]:
    return {"Status": "Pending", "Success": [], "Failures": []}


def lost(reason: int) -> Reporting:
    def report(uids: set[str]) -> dict[str, Any]:
        first, *others = sorted(uids)
        failures = [{"SOPInstanceUID": first, "FailureReason": reason}]
        return {**kept(set(others)), "Status": "Failure", "Failures": failures}

    return report


class Committing(FakeOrthanc):
    """Its destinations report as the test wants.

    Attributes:
        reporting: from the SOP Instance UIDs of a series to a report.
        forgets: it knows no request any more, as after a restart.
    """

    def __init__(self, reporting: Reporting = kept) -> None:
        super().__init__()
        self.reporting = reporting
        self.forgets = False

    def RestApiPost(self, path: str, body: bytes) -> bytes:  # noqa: N802
        answer = super().RestApiPost(path, body)
        if path.startswith("/modalities/"):
            assert json.loads(body)["StorageCommitment"] is True
            return json.dumps({"ID": self.sent[-1][0]}).encode()
        return answer

    def _get(self, parts: list[str]) -> Any:
        if parts[0] == "jobs":
            return {"State": "Success", "Content": {"StorageCommitmentTransactionUID": f"about-{parts[1]}"}}
        if parts[0] == "storage-commitment":
            if self.forgets:
                raise OrthancException(UNKNOWN_RESOURCE, "Unknown resource")
            series = parts[1].removeprefix("about-")
            return self.reporting(
                {
                    one["MainDicomTags"]["SOPInstanceUID"]
                    for one in super()._get(["series", series, "instances"])
                }
            )
        return super()._get(parts)


@pytest.fixture
def orthanc() -> Committing:
    return Committing()


def node(orthanc: Committing, engine: EngineBeside, **settings: Any) -> Any:
    return running(
        orthanc, engine, Destinations=["PACS"], StorageCommitment=["PACS"], modalities=["PACS"], **settings
    )


def reaches(service: Service, source: str, state: str) -> dict[str, Any]:
    wait_until(lambda: service.series(source)["state"] == state)
    return service.series(source)


def phases(service: Service, source: str) -> list[str]:
    return [one["state"] for one in service.series(source).get("routes", [])]


def test_a_series_is_delivered_when_all_of_it_is_kept(orthanc: Committing) -> None:
    source = orthanc.add(ct_series(4))
    orthanc.reporting = none_yet
    with EngineBeside(SECRET, orthanc=orthanc) as engine, node(orthanc, engine) as service:
        wait_until(lambda: phases(service, source) == ["committing"])
        assert 'routes{destination="PACS",state="committing"} 1' in service.metrics()
        orthanc.reporting = kept
        shown = reaches(service, source, "done")
    assert [one["state"] for one in shown["routes"]] == ["delivered"]
    assert len(orthanc.sent) == 1


def test_what_is_not_kept_is_sent_again_and_then_waits_for_a_person_with_the_reason(
    orthanc: Committing,
) -> None:
    source = orthanc.add(ct_series(4))
    orthanc.reporting = lost(0x0213)
    with EngineBeside(SECRET, orthanc=orthanc) as engine, node(orthanc, engine, DeliveryTries=3) as service:
        shown = reaches(service, source, "undelivered")
        assert len(orthanc.sent) == 3
        words = "given up after 3 tries: storage commitment by PACS failed: 1 instances are not kept, Failure Reason 0x0213"
        assert words in shown["message"]
        orthanc.reporting = kept
        service.act(source, "deliver")
        reaches(service, source, "done")
    assert len(orthanc.sent) == 4


def test_what_can_never_be_kept_is_not_sent_again(orthanc: Committing) -> None:
    source = orthanc.add(ct_series(4))
    orthanc.reporting = lost(0x0122)
    with EngineBeside(SECRET, orthanc=orthanc) as engine, node(orthanc, engine) as service:
        shown = reaches(service, source, "undelivered")
    assert "storage commitment by PACS was refused" in shown["message"]
    assert "have PACS accept CT images" in shown["message"]
    assert len(orthanc.sent) == 1


def test_a_report_that_leaves_instances_out_vouches_for_nothing(orthanc: Committing) -> None:
    source = orthanc.add(ct_series(4))
    orthanc.reporting = lambda uids: kept(set(sorted(uids)[:-1]))
    with EngineBeside(SECRET, orthanc=orthanc) as engine, node(orthanc, engine, DeliveryTries=1) as service:
        shown = reaches(service, source, "undelivered")
    assert "1 instances are not kept, Failure Reason none" in shown["message"]


def test_a_report_that_never_comes_leads_back_to_sending(orthanc: Committing) -> None:
    source = orthanc.add(ct_series(4))
    orthanc.reporting, began = none_yet, time.monotonic()
    with (
        EngineBeside(SECRET, orthanc=orthanc) as engine,
        node(orthanc, engine, CommitmentTimeout=1, DeliveryTries=2) as service,
    ):
        shown = reaches(service, source, "undelivered")
    assert time.monotonic() - began >= 2
    assert len(orthanc.sent) == 2
    assert "it sent no report in time; tell it this node's AE title" in shown["message"]


def test_a_request_that_a_restart_forgot_is_made_again(orthanc: Committing) -> None:
    source = orthanc.add(ct_series(4))
    orthanc.reporting = none_yet
    with EngineBeside(SECRET, orthanc=orthanc) as engine:
        with node(orthanc, engine) as service:
            wait_until(lambda: phases(service, source) == ["committing"])
        assert orthanc.remembered(source)["routes"][0]["phase"] == COMMITTING
        orthanc.forgets = True
        with node(orthanc, engine) as service:
            wait_until(lambda: len(orthanc.sent) >= 2)
            orthanc.forgets, orthanc.reporting = False, kept
            reaches(service, source, "done")


def test_a_report_deleted_here_meanwhile_stops_nothing(orthanc: Committing) -> None:
    source = orthanc.add(ct_series(4))
    orthanc.reporting = none_yet
    with EngineBeside(SECRET, orthanc=orthanc, reports=True) as engine, node(orthanc, engine) as service:
        wait_until(lambda: phases(service, source) == ["committing"] * 2)
        report = next(series for series, modality in orthanc.modalities().items() if modality == "SR")
        orthanc.delete(report)
        orthanc.reporting = kept
        reaches(service, source, "done")


def test_a_wait_for_a_report_ends_at_its_time_and_not_before() -> None:
    route = routing.committing(routing.begun(Route("X", series="s"), "j"), "t", 100.0)
    assert (route.phase, route.settled, route.job) == (COMMITTING, False, "t")
    assert routing.next_look((route,), 50.0, poll=5.0) == 55.0
    assert routing.abandoned(route).phase == routing.ABANDONED
    again = routing.lost(route, 60.0, Persistence(Backoff(), 9))
    assert (again.phase, again.next_try, again.tries) == (routing.WAITING, 0.0, 1)


def test_the_cure_names_commitment_where_orthanc_cannot_tell_which_of_both_was_not_accepted() -> None:
    words = cure(2015, "Unable to negotiate a presentation context", Route("X", series="s"), commits=True)
    assert (
        "accept requests for storage commitment, or remove it from StorageCommitment; then send again"
        in words
    )


@pytest.mark.parametrize(
    ("modalities", "words"),
    [
        ({}, r"must hold names in Orthanc's DicomModalities, got 'PACS'"),
        ({"PACX": {}}, r"got 'PACS'; did you mean PACX"),
        (
            {"PACS": {"AllowStorageCommitment": False}},
            r"DicomModalities.PACS must have AllowStorageCommitment true",
        ),
    ],
)
def test_a_destination_that_could_not_report_stops_the_start(modalities: dict[str, Any], words: str) -> None:
    section = {"StorageCommitment": ["PACS"], "Destinations": ["PACS"]}
    configuration = {"UserMetadata": {"NullSplat": 4701}, "NullSplat": section, "DicomModalities": modalities}
    with pytest.raises(SettingsError, match=words):
        read_settings(configuration, {"NULLSPLAT_SECRET": SECRET})
    known = {**configuration, "DicomModalities": {"PACS": ["PACS", "10.1.2.3", 104]}}
    assert read_settings(known, {"NULLSPLAT_SECRET": SECRET}).commitment.destinations == ("PACS",)

"""Each series reaches each destination once; what a destination refuses for good ends in words, and a person sends it again."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pydicom.uid import JPEGBaseline8Bit
from pynetdicom.sop_class import ComprehensiveSRStorage, CTImageStorage, EnhancedSRStorage
from tests.support.plugin.beside import SECRET, EngineBeside, running, wait_until
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.node import Node, running_node
from tests.support.plugin.peer import Peer
from tests.support.plugin.series import ct_series
from tests.support.ui.archive import BrowserArchive
from tests.support.ui.engine import PacedEngine
from tests.support.ui.site import SECRET as UI_SECRET
from tests.support.ui.site import running_site

from nullsplat.node.orthanc import Modality
from nullsplat.node.processes import free_port
from nullsplat_node.archive.archive import Archive
from nullsplat_node.lifecycle.delivery_faults import cure
from nullsplat_node.lifecycle.routing import (
    DELIVERED,
    GIVEN_UP,
    REFUSED,
    SENDING,
    WAITING,
    Backoff,
    Parcel,
    Persistence,
    Route,
    again,
    failed,
    for_each,
    lost,
)
from nullsplat_node.lifecycle.state import ROUTING, Result, SeriesState, encode
from nullsplat_node.settings import read_settings
from nullsplat_node.work import deliveries
from nullsplat_node.work.context import Log
from nullsplat_node.work.service import Service

TRIES = 4
REPORTS = (ComprehensiveSRStorage, EnhancedSRStorage)


@pytest.fixture(scope="module")
def peers() -> Iterator[dict[str, Peer]]:
    every = (CTImageStorage, *REPORTS)
    found = {
        "GOOD": Peer("GOOD", every),
        "NOSR": Peer("NOSR", (CTImageStorage,)),
        "FULL": Peer("FULL", every, status=0xA700),
        "FORBIDS": Peer("FORBIDS", every, status=0x0124),
        "JPEGONLY": Peer("JPEGONLY", every, syntax=JPEGBaseline8Bit),
    }
    yield found
    for peer in found.values():
        peer.close()


@pytest.fixture(scope="module")
def node(peers: dict[str, Peer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    modalities = {name: peer.modality.configuration() for name, peer in peers.items()}
    modalities["AWAY"] = Modality("AWAY", "127.0.0.1", free_port()).configuration()
    with ExitStack() as stack:
        node = running_node(
            tmp_path_factory.mktemp("node"),
            stack,
            {"DicomModalities": modalities},
            Destinations=[*modalities],
            DeliveryTries=TRIES,
        )
        node.engine.reports = True
        yield node
        node.orthanc.kill()


def routes(shown: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(route["destination"], route.get("what", "images")): route for route in shown["routes"]}


@pytest.mark.orthanc
def test_each_destination_gets_once_what_it_takes_and_the_rest_waits_for_a_person(
    node: Node, peers: dict[str, Peer]
) -> None:
    series = node.send(ct_series(4))
    shown = node.wait_for(series, "undelivered")
    images = shown["derived"]["instances"]
    state = {place: route["state"] for place, route in routes(shown).items()}
    both = ("images", "SR")
    assert state == {
        **{("GOOD", what): DELIVERED for what in both},
        ("NOSR", "images"): DELIVERED,
        ("NOSR", "SR"): REFUSED,
        **{(name, what): REFUSED for name in ("FORBIDS", "JPEGONLY") for what in both},
        **{(name, what): GIVEN_UP for name in ("FULL", "AWAY") for what in both},
    }
    assert peers["GOOD"].got.total() == images + 1
    assert peers["NOSR"].got == {CTImageStorage: images}
    assert peers["FULL"].got == {CTImageStorage: TRIES, peers_report(peers): TRIES}
    for words in (
        "have NOSR accept SR (its SOP Class and transfer syntax), or set SendFurther to false",
        "have JPEGONLY accept CT images in the transfer syntax that they have, which NULLSPLAT_TRANSFER_SYNTAX sets",
        "have FORBIDS accept images from this node",
        "given up after 4 tries: C-STORE to FULL failed",
    ):
        assert words in shown["message"]
    told = node.raw("/nullsplat/metrics").decode()
    assert 'nullsplat_node_routes{destination="NOSR",state="refused"} 1' in told
    assert 'nullsplat_node_routes{destination="AWAY",state="given-up"} 2' in told
    rows = node.call("GET", "/nullsplat/overview?group=to-look-at")[1]["queue"]["rows"]
    assert [(row["series"], row["actions"]) for row in rows] == [(series, ["deliver", "again"])]

    # A person frees space at FULL and sends again: what had arrived is left alone.
    peers["FULL"].status = 0
    before = {name: peer.got.total() for name, peer in peers.items()}
    assert node.act(series, "deliver")[0] == 200
    shown = node.wait_for(series, "undelivered")
    assert {routes(shown)["FULL", what]["state"] for what in both} == {DELIVERED}
    assert peers["FULL"].got.total() == before["FULL"] + images + 1
    assert [peers[name].got.total() for name in ("GOOD", "NOSR")] == [
        before[name] for name in ("GOOD", "NOSR")
    ]
    assert any("sent again" in entry["text"] for entry in shown["history"])


def peers_report(peers: dict[str, Peer]) -> str:
    """The SOP Class of the reports."""
    (found,) = peers["GOOD"].got.keys() - {CTImageStorage}
    return found


# ---- Without Orthanc ----

PERSISTENCE = Persistence(Backoff(1.0, 8.0), 3)


@pytest.mark.parametrize(
    ("code", "error", "final"),
    [
        (2, "Cannot transcode from 1.2.840.10008.1.2.1 to one of [ ]", True),
        (2015, 'Unable to negotiate a presentation context with AET "X"', True),
        *((9, f'C-STORE SCU to AET "X" has failed with DIMSE status 0x{status}', True) for status in ("0122", "0124", "A900", "a9ff")),
        *((9, f'C-STORE SCU to AET "X" has failed with DIMSE status 0x{status}', False) for status in ("A700", "a7ff", "0110", "C000")),
        (9, 'DicomAssociation - connecting to AET "X": TCP Initialization Error: Connection refused', False),
        (9, 'DicomAssociation - connecting to AET "X": DUL Association Rejected', False),
        (0, "Orthanc gives no reason", False),
    ],
)  # fmt: skip
def test_only_what_repeating_cannot_change_is_final(code: int, error: str, *, final: bool) -> None:
    words = cure(code, error, Route("X", SENDING, series="s"))
    assert bool(words) == final
    assert not final or ("X" in words and "then send again" in words)


def test_tries_end_and_begin_afresh_when_a_person_wants_it() -> None:
    route = Route("X", SENDING, job="j", series="s")
    for _ in range(2):
        route = failed(route, "away", 100.0, PERSISTENCE)
        assert (route.phase, route.settled) == (WAITING, False)
    ended = failed(route, "away", 100.0, PERSISTENCE)
    assert (ended.phase, ended.settled, ended.error) == (GIVEN_UP, True, "given up after 3 tries: away")
    assert (again(ended).phase, again(ended).tries, again(ended).next_try) == (WAITING, 0, 0.0)
    assert again(Route("X", DELIVERED)).phase == DELIVERED


def test_a_job_that_is_forgotten_again_and_again_is_not_sent_for_ever() -> None:
    route = lost(Route("X", SENDING, job="j"), 100.0, PERSISTENCE)
    assert (route.phase, route.next_try) == (WAITING, 0.0)  # Orthanc was restarted: at once
    route = lost(route, 100.0, PERSISTENCE)
    assert route.next_try > 100.0
    assert lost(route, 100.0, PERSISTENCE).phase == GIVEN_UP


def test_routes_of_earlier_versions_go_on_series_by_series() -> None:
    old = (Route("A", DELIVERED), Route("B", WAITING, tries=7), Route("C", SENDING, job="j"))
    parcels = (Parcel("images"), Parcel("report", "SR"))
    assert for_each(old, parcels) == (
        old[0],
        Route("B", WAITING, tries=7, series="images"),
        Route("B", WAITING, tries=7, series="report", what="SR"),
        old[2],
    )
    assert for_each(for_each(old, parcels), parcels) == for_each(old, parcels)


class HalfOrthanc(FakeOrthanc):
    """Sends, but the destination takes nothing that is no image."""

    def RestApiPost(self, path: str, body: bytes) -> bytes:  # noqa: N802
        answer = super().RestApiPost(path, body)
        if not path.startswith("/modalities/"):
            return answer
        return json.dumps({"ID": f"store-{self.sent[-1][0]}"}).encode()

    def _get(self, parts: list[str]) -> Any:
        if parts[0] == "jobs" and self.modalities()[parts[1].removeprefix("store-")] != "CT":
            return {
                "State": "Failure",
                "ErrorCode": 2,
                "ErrorDetails": "Cannot transcode from 1 to one of [ ]",
            }
        return super()._get(parts)


def test_what_was_delivered_is_remembered_over_a_restart() -> None:
    orthanc = HalfOrthanc()
    source = orthanc.add(ct_series(4))

    def ended(service: Service) -> bool:
        return bool(service.series(source)["state"] == "undelivered")

    with EngineBeside(SECRET, reports=True, orthanc=orthanc) as engine:
        with running(orthanc, engine, Destinations=["PACS"]) as service:
            wait_until(lambda: ended(service))
        sent = list(orthanc.sent)
        assert len(sent) == 2
        with running(orthanc, engine, Destinations=["PACS"]) as service:
            wait_until(lambda: ended(service))
            service.act(source, "deliver")
            wait_until(lambda: len(orthanc.sent) > 2 and ended(service))
    assert orthanc.sent[2:] == [one for one in sent if orthanc.modalities()[one[0]] == "SR"]
    phases = {route["what"]: route["phase"] for route in orthanc.remembered(source)["routes"]}
    assert phases == {"": DELIVERED, "SR": REFUSED}


# ---- Thousands on their way ----


class OnTheirWay:
    """Results that store jobs which do not end are sending, and a service whose thread is not started: each look is a call."""

    def __init__(self, count: int, **settings: Any) -> None:
        self.orthanc, self.now = FakeOrthanc(), time.time()
        self.orthanc.jobs = "Running"
        self.sources = [self._add() for _ in range(count)]
        configuration = {
            "UserMetadata": {"NullSplat": 4701},
            "NullSplat": {"Destinations": ["PACS"], **settings},
        }
        self.service = Service(
            Archive(self.orthanc),
            read_settings(configuration, {"NULLSPLAT_SECRET": SECRET}),
            Log(print, print),
            record=lambda entry: None,
            clock=lambda: self.now,
        )
        self.worker = self.service._worker
        self.look()

    def _add(self) -> str:
        source, derived = self.orthanc.add(ct_series(3)), self.orthanc.add(ct_series(3))
        digest = Archive(self.orthanc).look(source).digest
        state = SeriesState(ROUTING, self.now, digest, request={"attempt": 1}, key="k",
                            result=Result("2.25.1", derived, 3), routes=(Route("PACS"),))  # fmt: skip
        self.orthanc._series[source]["metadata"]["NullSplat"] = encode(state)
        return source

    def look(self) -> None:
        for source in self.sources:
            self.worker._agenda.drop(source)
            self.worker._look(source)

    def job(self, source: str) -> str:
        return str(self.orthanc.remembered(source)["routes"][0]["job"])

    def waits(self) -> set[float]:
        """Seconds until each is looked at."""
        return {round(self.worker._agenda.planned(source) - self.now, 3) for source in self.sources}


def test_the_end_of_one_delivery_has_that_one_looked_at_and_no_other() -> None:
    """A look at every other for each that ends made the work quadratic: 5000 on their way left no time for anything else."""
    there = OnTheirWay(4)
    there.service.store_ended(there.job(there.sources[2]))
    there.service.store_ended("a job of somebody else")
    assert there.worker._notified.get_nowait() == there.sources[2]
    assert there.worker._notified.empty()


def test_orthanc_tells_which_of_its_jobs_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with PacedEngine(UI_SECRET) as engine, running_site(BrowserArchive(), engine) as site:
        monkeypatch.setattr(site.plugin.SERVICE, "store_ended", told.append)
        for event in ("success", "failure", "stable"):
            site.plugin.on_change(event, None, f"job of {event}")
    assert told == ["job of success", "job of failure"]


def test_the_more_are_on_their_way_the_rarer_each_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "BETWEEN_LOOKS", 10)
    there = OnTheirWay(4, PollInterval=5)
    assert there.waits() == {5.0}  # the first time soon: it may have ended before its name was noted
    there.now += 5
    there.look()
    assert there.waits() == {40.0}


def test_a_round_leaves_deliveries_alone_that_are_looked_at_anyway() -> None:
    there = OnTheirWay(4)
    there.worker._scan()
    assert there.waits() == {5.0}
    there.now -= 10_000  # the clock was set back, and what was planned lies too far ahead
    there.worker._scan()
    assert there.waits() == {0.0}


def test_what_failed_while_the_clock_was_ahead_is_sent_again_when_it_is_right() -> None:
    there = OnTheirWay(1)
    there.orthanc.jobs = "Failure"
    there.now += 5
    there.look()
    assert (len(there.orthanc.sent), there.orthanc.remembered(there.sources[0])["routes"][0]["tries"]) == (
        1,
        1,
    )
    there.now -= 365 * 86_400
    there.look()
    assert len(there.orthanc.sent) == 2


def test_a_look_at_a_delivery_under_way_costs_few_questions() -> None:
    there = OnTheirWay(1)
    before = len(there.orthanc.calls)
    there.now += 5
    there.look()
    assert len(there.orthanc.calls) - before <= 5  # source and result with their metadata, and the job


def test_what_is_cancelled_is_not_sent_on() -> None:
    there = OnTheirWay(2)
    job = there.job(there.sources[0])
    assert there.service.act(there.sources[0], "cancel")["state"] == "done"
    cancelled = [path for method, path in there.orthanc.calls if (method, path[:6]) == ("POST", "/jobs/")]
    assert cancelled == [f"/jobs/{job}/cancel"]

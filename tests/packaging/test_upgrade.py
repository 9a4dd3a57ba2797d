"""Upgrade drill: a node of an earlier commit that has work in every stage is stopped, and goes on with the code of today.

As docs/upgrading.md says: everything is stopped, then the new version starts on the same archive, spool and database.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pynetdicom.sop_class import CTImageStorage
from tests.support.plugin.peer import Peer
from tests.support.plugin.series import ct_series
from tests.support.service.engine import wait_for
from tests.support.service.postgres import PostgresServer, why_not
from tests.support.upgrade.node import SLICES, UpgradedNode
from tests.support.upgrade.release import ROOT, checked_out

from nullsplat.node.orthanc import Modality
from nullsplat.node.processes import free_port

pytestmark = [pytest.mark.orthanc, pytest.mark.slow]
NEVER = 0xA900
"""A C-STORE status after which a delivery is not tried again."""


@dataclass(frozen=True)
class Release:
    """An earlier state of this repository.

    Attributes:
        ends_deliveries: whether it gives up what a destination can never accept (dead letter).
        postgresql: whether it runs on PostgreSQL here; else on SQLite in the spool.
    """

    commit: str
    ends_deliveries: bool
    postgresql: bool


RELEASES = {
    "schema-1": Release("205c01c903c5f7e7c12f7103581e48dc49e61a5b", ends_deliveries=False, postgresql=False),
    "schema-2": Release("5b6b717", ends_deliveries=True, postgresql=True),
}
"""The last commit with the first schema, and the last that was submitted before this test; there are no tags yet."""


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> Release:
    return RELEASES[request.param]


@pytest.fixture
def database(release: Release) -> Iterator[str | None]:
    if not release.postgresql:
        yield None
        return
    if reason := why_not():
        pytest.skip(reason)
    server = PostgresServer()
    server.start()
    yield server.url()
    server.stop()


@dataclass
class Destinations:
    """One accepts results, one is off at first, one refuses them for good."""

    accepts: Peer
    off: Modality
    refuses: Peer

    @property
    def modalities(self) -> dict[str, Modality]:
        return {"ACCEPTS": self.accepts.modality, "OFF": self.off, "REFUSES": self.refuses.modality}


@pytest.fixture
def destinations() -> Iterator[Destinations]:
    accepts, refuses = Peer("ACCEPTS", [CTImageStorage]), Peer("REFUSES", [CTImageStorage], status=NEVER)
    yield Destinations(accepts, Modality("OFF", "127.0.0.1", free_port()), refuses)
    accepts.close()
    refuses.close()


@pytest.fixture
def node(destinations: Destinations, database: str | None, tmp_path: Path) -> Iterator[UpgradedNode]:
    with UpgradedNode(tmp_path / "node", destinations.modalities, database) as node:
        yield node


@dataclass
class Work:
    """Series by how far they had come when the earlier release was stopped.

    Attributes:
        delivered: has its result, at one destination of three.
        interrupted: were in stage 2, in a worker that was killed and in one that was stopped.
        queued, cancelled, failed: at the engine.
        pending: not handed over to the engine.
    """

    delivered: str
    interrupted: list[str]
    queued: str
    cancelled: str
    failed: str
    pending: str

    @property
    def to_be_done(self) -> list[str]:
        return [self.delivered, *self.interrupted, self.queued, self.pending]


def test_an_upgrade_loses_nothing_and_does_nothing_twice(
    release: Release, node: UpgradedNode, destinations: Destinations, tmp_path: Path
) -> None:
    old = checked_out(release.commit, tmp_path / "old")
    work = begin_work(node, old, release)
    result = node.series(work.delivered)["derived"]["series_instance_uid"]
    refusals, audit = destinations.refuses.instances.total(), audit_log(node)
    node.orthanc.stop()

    was_off = Peer("OFF", [CTImageStorage], port=destinations.off.port)
    node.start_worker(ROOT, "first")
    node.start_orthanc(ROOT)
    node.start_api(ROOT)
    for series in work.to_be_done:
        assert node.wait_for(series, "undelivered")["job"]["attempt"] == 1
        assert routes(node, series) == {"ACCEPTS": "delivered", "OFF": "delivered", "REFUSES": "refused"}
    assert node.series(work.delivered)["derived"]["series_instance_uid"] == result
    assert node.series(work.failed)["state"] == "failed"
    assert node.series(work.cancelled)["state"] == "cancelled"

    jobs = node.jobs()
    states = Counter(job["state"] for job in jobs.values())
    assert states == {"succeeded": 5, "failed": 1, "cancelled": 1}
    assert {state: count for state, count in node.counted().items() if count} == states
    keys = sorted(key_of(node, series) for series in work.to_be_done)
    uids = [uid for key in keys for uid in jobs[key]["result"]["sop_instance_uids"]]
    assert destinations.accepts.instances == was_off.instances == Counter(uids)
    if release.ends_deliveries:
        newly_refused = len(work.to_be_done) - 1
        assert destinations.refuses.instances.total() == refusals + newly_refused
    assert Counter(node.calls()) == {"prepare": 6, "stage1": 6, "stage2": 7, "consistency": 5, "derive": 5}
    assert audit_log(node).startswith(audit)
    wait_for(lambda: audited(node, "finished") == keys, what="the last line of each job")
    assert audited(node, "stored") == keys

    assert node.act(work.failed, "release")[0] == 200
    node.wait_for(work.failed, "undelivered")
    was_off.close()


def begin_work(node: UpgradedNode, old: Path, release: Release) -> Work:
    """Start a node of the earlier release, let it come to have work in every stage, and stop its engine."""
    node.start_worker(old, "first")
    node.start_worker(old, "second")
    node.start_orthanc(old)
    node.start_api(old)
    delivered = send(node)
    wait_for(lambda: routes(node, delivered).get("ACCEPTS") == "delivered", what="a delivery")
    if release.ends_deliveries:
        wait_for(lambda: routes(node, delivered)["REFUSES"] == "refused", what="a dead letter")
    (node.control / "fail-stage1").write_text("on purpose")
    failed = send(node)
    node.wait_for(failed, "failed")
    (node.control / "fail-stage1").unlink()
    (node.control / "hold-stage2").touch()
    interrupted = [send(node), send(node)]
    for series in interrupted:
        node.wait_for(series, "running")
    wait_for(lambda: node.calls().count("stage2") == 3, what="both workers in stage 2")
    queued, cancelled = send(node), send(node)
    for series in (queued, cancelled):
        node.wait_for(series, "running")  # so the plugin calls what the engine has in its queue
    assert node.act(cancelled, "cancel")[0] == 200
    wait_for(lambda: node.jobs()[key_of(node, cancelled)]["state"] == "cancelled", what="the cancellation")
    node.stop("first", kill=True)
    node.stop("second")
    node.stop("api")
    (node.control / "hold-stage2").unlink()
    pending = send(node)
    node.wait_for(pending, "pending")
    return Work(delivered, interrupted, queued, cancelled, failed, pending)


def send(node: UpgradedNode) -> str:
    return node.send(ct_series(SLICES))


def key_of(node: UpgradedNode, series: str) -> str:
    return str(node.series(series)["job"]["key"])


def routes(node: UpgradedNode, series: str) -> dict[str, str]:
    """What became of the result at each destination."""
    return {route["destination"]: route["state"] for route in node.series(series).get("routes", [])}


def audit_log(node: UpgradedNode) -> str:
    return (node.spool / "audit.jsonl").read_text()


def audited(node: UpgradedNode, what: str) -> list[str]:
    lines = map(json.loads, audit_log(node).splitlines())
    return sorted(line["job"] for line in lines if line["what"] == what)

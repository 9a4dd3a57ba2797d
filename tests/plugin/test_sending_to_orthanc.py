"""Results go to a real Orthanc by STOW-RS, and by C-STORE with storage commitment."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.plugin.node import PATIENCE, Node, running_node
from tests.support.plugin.second_orthanc import PASSWORD, USER, SecondOrthanc, second_orthanc
from tests.support.plugin.series import ct_series
from tests.support.plugin.stow_server import StowServer

from nullsplat.node.orthanc import Modality
from nullsplat.node.processes import free_port

pytestmark = pytest.mark.orthanc
WHERE = ("SECOND", "SAME", "WRONG", "SLOW", "KEEPS")


@dataclass
class Arrangement:
    """The node, and whom it sends to: the second Orthanc, and a server that can be slow."""

    node: Node
    second: SecondOrthanc
    slow: StowServer


@pytest.fixture(scope="module")
def arrangement(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrangement]:
    folder = tmp_path_factory.mktemp("sending")
    password = folder / "password"
    password.write_text(f"{PASSWORD}\n")
    second = second_orthanc(folder)
    keeps = Modality(second.aet, "127.0.0.1", second.dicom_port).configuration()
    section = {"AllowHttp": True, "Username": USER, "PasswordFile": str(password), "Timeout": 10}
    wrong = {**section, "Username": "nobody"}
    with ExitStack() as stack:
        slow = stack.enter_context(StowServer())
        node = running_node(
            folder,
            stack,
            {"DicomModalities": {"KEEPS": {**keeps, "AllowStorageCommitment": True}}},
            Destinations=[*WHERE],
            StorageCommitment=["KEEPS"],
            DicomWebDestinations={
                "SECOND": {**section, "Url": f"{second.url}/dicom-web"},
                "SAME": {**section, "Url": f"{second.url}/dicom-web/"},
                "SLOW": {"AllowHttp": True, "Url": slow.url},
                "WRONG": {**wrong, "Url": f"{second.url}/dicom-web"},
            },
        )
        second.run(stack)
        second.learn(node.orthanc.dicom_port)
        node.engine.reports = True
        yield Arrangement(node, second, slow)
        log = node.orthanc.log.read_text()
        node.orthanc.kill()
    assert "unexpected" not in log
    for private in (PASSWORD, "Test^Case"):
        assert private not in log


def test_orthanc_takes_images_and_report_by_both_ways_and_vouches_for_them(
    arrangement: Arrangement,
) -> None:
    node, second = arrangement.node, arrangement.second
    series = node.send(ct_series(17))
    shown = node.wait_for(series, "undelivered")
    images = shown["derived"]["instances"]
    assert images == 34  # two requests
    states = {name: {one["state"] for one in shown["routes"] if one["destination"] == name} for name in WHERE}
    assert states == {name: {"refused" if name == "WRONG" else "delivered"} for name in WHERE}
    assert len(shown["routes"]) == 2 * len(WHERE)
    assert "STOW-RS to WRONG was refused (HTTP 401); correct the credentials for WRONG" in shown["message"]
    assert second.transactions() >= 2  # images and report
    # SAME is SECOND under another name, so that one of them sent what was there already.
    assert second.uids() == uids_of(node, shown["derived"]["series_instance_uid"])
    told = json.dumps(
        [shown, node.call("GET", f"/nullsplat/story/{series}")[1], node.call("GET", "/nullsplat/status")[1]]
    )
    assert PASSWORD not in told


def test_a_request_for_commitment_survives_the_end_of_orthanc(
    arrangement: Arrangement,
) -> None:
    """No report could arrive before; after the restart the request is unknown, and it is made again."""
    node, second = arrangement.node, arrangement.second
    second.learn(free_port())
    series = node.send(ct_series(4))
    node.wait_until(series, lambda shown: "committing" in ends(shown, "KEEPS"))
    node.orthanc.kill()
    node.orthanc.start()
    assert "delivered" not in ends(node.wait_until(series, lambda shown: bool(ends(shown, "KEEPS"))), "KEEPS")
    second.learn(node.orthanc.dicom_port)
    node.wait_until(series, lambda shown: ends(shown, "KEEPS") == {"delivered"})


def test_orthanc_ends_in_good_order_while_a_destination_keeps_it_waiting(arrangement: Arrangement) -> None:
    node, slow = arrangement.node, arrangement.slow
    before = len(slow.requests)
    slow.may_answer.clear()
    series = node.send(ct_series(4))
    node.wait_until(series, lambda _: len(slow.requests) > before)
    assert node.orthanc.stop(PATIENCE) == 0
    slow.may_answer.set()
    node.orthanc.start()
    node.wait_until(series, lambda shown: ends(shown, "SLOW") == {"delivered"})


def ends(shown: dict[str, Any], destination: str) -> set[str]:
    return {one["state"] for one in shown.get("routes", []) if one["destination"] == destination}


def uids_of(node: Node, series_uid: str) -> set[str]:
    """SOP Instance UIDs of a result and its report in the node's archive."""
    study = node.call("GET", f"/series/{node.find(series_uid)}/study")[1]
    marked = [one for one in study["Series"] if node.series(one)["state"] == "result"]
    found: list[dict[str, Any]] = [
        instance for one in marked for instance in node.call("GET", f"/series/{one}/instances")[1]
    ]
    return {instance["MainDicomTags"]["SOPInstanceUID"] for instance in found}

"""Results go to a real Orthanc by STOW-RS."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.support.plugin.node import Node, running_node
from tests.support.plugin.second_orthanc import PASSWORD, USER, SecondOrthanc, second_orthanc
from tests.support.plugin.series import ct_series

pytestmark = pytest.mark.orthanc


@pytest.fixture(scope="module")
def arrangement(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, SecondOrthanc]]:
    folder = tmp_path_factory.mktemp("sending")
    password = folder / "password"
    password.write_text(f"{PASSWORD}\n")
    second = second_orthanc(folder, {})
    section = {"AllowHttp": True, "Username": USER, "PasswordFile": str(password), "Timeout": 10}
    wrong = {**section, "Username": "nobody"}
    with ExitStack() as stack:
        second.run(stack)
        node = running_node(
            folder,
            stack,
            Destinations=["SECOND", "SAME", "WRONG"],
            DicomWebDestinations={
                "SECOND": {**section, "Url": f"{second.url}/dicom-web"},
                "SAME": {**section, "Url": f"{second.url}/dicom-web/"},
                "WRONG": {**wrong, "Url": f"{second.url}/dicom-web"},
            },
        )
        node.engine.reports = True
        yield node, second
        log = node.orthanc.log.read_text()
        node.orthanc.kill()
    assert "unexpected" not in log
    for private in (PASSWORD, "Test^Case"):
        assert private not in log


def test_orthanc_takes_images_and_report_by_stow_also_when_it_has_them(
    arrangement: tuple[Node, SecondOrthanc],
) -> None:
    node, second = arrangement
    series = node.send(ct_series(40))
    shown = node.wait_for(series, "undelivered")
    images = shown["derived"]["instances"]
    assert images == 80  # three requests
    states = {(one["destination"], one.get("what", "")): one["state"] for one in shown["routes"]}
    assert states == {(name, what): state for name, state in (("SECOND", "delivered"), ("SAME", "delivered"), ("WRONG", "refused"))
                      for what in ("", "SR")}  # fmt: skip
    assert "STOW-RS to WRONG was refused (HTTP 401); correct the credentials for WRONG" in shown["message"]
    # SAME is SECOND under another name, so that one of them sent what was there already.
    assert second.uids() == uids_of(node, shown["derived"]["series_instance_uid"])
    told = json.dumps(
        [shown, node.call("GET", f"/nullsplat/story/{series}")[1], node.call("GET", "/nullsplat/status")[1]]
    )
    assert PASSWORD not in told


def uids_of(node: Node, series_uid: str) -> set[str]:
    """SOP Instance UIDs of a result and its report in the node's archive."""
    study = node.call("GET", f"/series/{node.find(series_uid)}/study")[1]
    marked = [one for one in study["Series"] if node.series(one)["state"] == "result"]
    found: list[dict[str, Any]] = [
        instance for one in marked for instance in node.call("GET", f"/series/{one}/instances")[1]
    ]
    return {instance["MainDicomTags"]["SOPInstanceUID"] for instance in found}

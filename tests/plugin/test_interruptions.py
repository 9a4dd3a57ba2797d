"""Whatever is away, wrong or killed, and whenever: nothing is lost, and the reason can be read."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.plugin.node import PATIENCE, Node, running_node
from tests.support.plugin.series import ct_series

from nullsplat.core.errors import ConfigurationError
from nullsplat.node.orthanc import NodeSettings, OrthancNode
from nullsplat.node.processes import ChildFailed

pytestmark = pytest.mark.orthanc


def test_a_series_waits_for_an_engine_that_is_down(node: Node) -> None:
    node.engine.stop()
    series = node.send(ct_series(6))
    shown = node.wait_until(series, lambda shown: "cannot be reached" in shown["message"])
    assert shown["state"] == "pending"
    assert "next try at 20" in shown["message"]
    assert node.call("GET", "/nullsplat/status")[1]["engine"]["reachable"] is False
    node.engine.start()
    assert node.wait_for(series, "done")["job"]["attempt"] == 1


def test_a_running_job_is_followed_on_when_the_engine_comes_back(node: Node) -> None:
    node.engine.hold = True
    series = node.send(ct_series(6))
    node.wait_for(series, "running")
    node.engine.stop()
    node.wait_until(
        series, lambda shown: "cannot be reached" in shown["message"] and shown["state"] == "running"
    )
    node.engine.hold = False
    node.engine.start()
    assert node.wait_for(series, "done")["job"]["attempt"] == 1


def test_an_engine_that_lost_its_memory_is_given_the_same_job_again(node: Node) -> None:
    node.engine.hold = True
    series = node.send(ct_series(6))
    key = node.wait_for(series, "running")["job"]["key"]
    node.engine.forget()
    node.engine.hold = False
    shown = node.wait_for(series, "done")
    assert (shown["job"]["key"], shown["job"]["attempt"]) == (key, 1)


def test_a_wrong_secret_is_named_and_the_series_waits_until_it_is_set_right(node: Node) -> None:
    right, node.engine.secret = node.engine.secret, "quite-another-secret"
    series = node.send(ct_series(6))
    shown = node.wait_until(series, lambda shown: "shared secret" in shown["message"])
    assert shown["state"] == "pending"
    assert "HTTP 401" in shown["message"]
    node.engine.secret = right
    node.wait_for(series, "done")


def test_a_series_is_taken_even_if_orthanc_is_killed_before_it_became_stable(node: Node) -> None:
    series = node.send(ct_series(6))
    node.orthanc.kill()
    node.orthanc.start()
    assert node.wait_for(series, "done")["job"]["attempt"] == 1


def test_a_waiting_series_survives_a_kill(node: Node) -> None:
    node.engine.stop()
    series = node.send(ct_series(6))
    key = node.wait_for(series, "pending")["job"]["key"]
    node.orthanc.kill()
    node.engine.start()
    node.orthanc.start()
    assert node.wait_for(series, "done")["job"]["key"] == key


def test_a_running_job_survives_a_kill_and_is_done_once(node: Node) -> None:
    node.engine.hold = True
    source = ct_series(6)
    series = node.send(source)
    node.wait_for(series, "running")
    node.orthanc.kill()
    node.orthanc.start()
    assert node.wait_for(series, "running")["job"]["attempt"] == 1
    node.engine.hold = False
    node.wait_for(series, "done")
    assert len(node.engine.jobs_of(source[0].SeriesInstanceUID)) == 1


def test_a_cancellation_reaches_the_engine_even_after_a_kill(node: Node) -> None:
    node.engine.hold = True
    series = node.send(ct_series(6))
    key = node.wait_for(series, "running")["job"]["key"]
    node.engine.stop()
    node.act(series, "cancel")
    node.orthanc.kill()
    node.orthanc.start()
    assert node.series(series)["state"] == "cancelled"
    node.engine.start()
    node.wait_until(series, lambda _: key in node.engine.cancelled)


def test_a_result_waits_for_a_pacs_that_is_down_also_over_a_kill(node: Node) -> None:
    node.pacs.stop()
    series = node.send(ct_series(6))
    shown = node.wait_until(series, lambda shown: any("error" in route for route in shown.get("routes", [])))
    assert shown["state"] == "routing"
    assert "C-STORE to PACS failed" in shown["message"]
    node.orthanc.kill()
    node.orthanc.start()
    assert node.series(series)["state"] == "routing"
    node.pacs.start()
    shown = node.wait_for(series, "done")
    assert [route["state"] for route in shown["routes"]] == ["delivered"]
    assert len(node.pacs.received(shown["derived"]["series_instance_uid"])) == 12


def test_a_person_can_stop_the_routing_to_a_pacs_that_never_comes_back(node: Node) -> None:
    node.pacs.stop()
    try:
        series = node.send(ct_series(6))
        assert node.wait_for(series, "routing")["actions"] == ["cancel"]
        node.act(series, "cancel")
        shown = node.wait_for(series, "done")
        assert [route["state"] for route in shown["routes"]] == ["abandoned"]
        assert shown["derived"]["instances"] == 12
    finally:
        node.pacs.start()


def test_an_unknown_destination_is_named_and_the_result_stays_here(tmp_path: Path) -> None:
    with ExitStack() as stack:
        lost = running_node(tmp_path, stack, Destinations=["NOWHERE"])
        shown = lost.wait_until(
            lost.send(ct_series(6)),
            lambda shown: shown["state"] == "routing" and "DicomModalities" in shown["message"],
        )
        assert shown["routes"][0]["tries"] >= 1
        lost.orthanc.kill()


def test_orthanc_ends_in_good_order_while_the_engine_is_silent(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as stack:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        waiting = running_node(tmp_path, stack, EngineUrl=url, EngineTimeout=300)
        stack.callback(silent.accept()[0].close)  # from here on the plugin waits for an answer
        assert waiting.orthanc.stop(PATIENCE) == 0


def settings(tmp_path: Path, **changes: object) -> NodeSettings:
    given = {
        "folder": tmp_path,
        "admin_password": "x",
        "engine_password": "y",
        "secret": "s" * 16,
        "engine_url": "http://127.0.0.1:1",
    }
    return NodeSettings(**{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"overrides": {"NullSplat": {"Preset": "fast"}}}, "NullSplat.Preset must be one of"),
        ({"overrides": {"NullSplat": {"Presett": "x"}}}, "did you mean Preset"),
        ({"secret": "short"}, "NULLSPLAT_SECRET"),
        ({"engine_password": ""}, "'engine' has an empty password"),
    ],
)
def test_orthanc_does_not_run_with_wrong_settings_and_says_which(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ChildFailed, match=words):
        OrthancNode(settings(tmp_path, **changes)).start()


def test_a_taken_port_is_named(node: Node, tmp_path: Path) -> None:
    taken = node.orthanc.http_port
    with pytest.raises(ConfigurationError, match=f"HTTP port {taken} must be free"):
        OrthancNode(settings(tmp_path, http_port=taken)).start()

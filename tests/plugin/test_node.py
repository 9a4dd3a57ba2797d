import pytest
from plugin_support.node import Node
from plugin_support.series import ct_series

pytestmark = pytest.mark.orthanc


def test_a_low_dose_series_is_processed_and_its_result_reaches_the_pacs(node: Node) -> None:
    source = ct_series(12)
    shown = node.wait_for(node.send(source), "done", "failed")
    assert shown["state"] == "done"
    assert "CTDIvol 1.4 mGy <= 3 mGy" in shown["decision"]
    assert shown["derived"]["instances"] == 24
    assert [route["state"] for route in shown["routes"]] == ["delivered"]
    assert len(node.pacs.received(shown["derived"]["series_instance_uid"])) == 24

"""The plugin in a real Orthanc, with an engine that keeps to the contract and a real DICOM peer."""

from collections.abc import Callable
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from tests.support.dicom.enhanced import make_enhanced
from tests.support.dicom.series import Spec
from tests.support.plugin.node import ADMIN, ENGINE, SECRET, Node
from tests.support.plugin.series import ct_series

from nullsplat_node.engine.contract import fingerprint

pytestmark = pytest.mark.orthanc

Spoil = Callable[[int, Dataset], None]


def files_of(node: Node, series: str) -> list[Dataset]:
    instances = node.call("GET", f"/series/{series}")[1]["Instances"]
    return [dcmread(BytesIO(node.raw(f"/instances/{instance}/file"))) for instance in instances]


def normal_dose(_: int, dataset: Dataset) -> None:
    dataset.CTDIvol = 9.5


def gap(index: int, dataset: Dataset) -> None:
    dataset.ImagePositionPatient = [0, 0, 5.0 * (index + (index > 5))]


def localizer(_: int, dataset: Dataset) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def not_a_number(index: int, dataset: Dataset) -> None:
    dataset.CTDIvol = float("nan")
    if index == 3:
        dataset["PixelSpacing"]._value = "NaN"


def test_a_low_dose_series_is_processed_and_its_result_reaches_the_pacs(node: Node) -> None:
    source = ct_series(12)
    shown = node.wait_for(node.send(source), "done", "failed")
    assert shown["state"] == "done"
    assert "CTDIvol 1.4 mGy <= 3 mGy" in shown["decision"]
    derived = shown["derived"]
    assert derived["instances"] == 24
    assert [route["state"] for route in shown["routes"]] == ["delivered"]
    assert len(node.pacs.received(derived["series_instance_uid"])) == 24
    assert node.series(derived["series"])["source"] == shown["series"]


def test_a_result_is_never_taken_even_when_a_pacs_sends_it_back_or_it_was_deleted_here(node: Node) -> None:
    shown = node.wait_for(node.send(ct_series(6)), "done")
    derived, uid = shown["derived"]["series"], shown["derived"]["series_instance_uid"]
    files = files_of(node, derived)
    node.send(files, calling="PACS")
    assert node.series(derived)["state"] == "result"
    node.call("DELETE", f"/series/{derived}")
    node.send(files, calling="PACS")
    returned = node.wait_for(derived, "ineligible")
    assert returned["code"] == "ours"
    status, refusal = node.act(derived, "run")
    assert status == 409
    assert "NullSplat" in refusal["error"]["message"]
    assert node.engine.jobs_of(uid) == []


REFUSED: list[tuple[int, Spoil | None, str, str]] = [
    (6, normal_dose, "not-low-dose", "CTDIvol 9.5 mGy > 3 mGy"),
    (9, gap, "missing-slice", "between instance 6 and instance 7 the gap is 10 mm"),
    (2, localizer, "localizer", "LOCALIZER"),
    (1, None, "too-few-slices", "at least 3 slices"),
    (6, not_a_number, "incomplete-header", "PixelSpacing must be 2 finite numbers, got 'NaN'"),
]


def test_refused_series_show_why_and_are_left_unharmed(node: Node) -> None:
    sent = [
        (node.send(ct_series(slices, change=spoil)), slices, code, words)
        for slices, spoil, code, words in REFUSED
    ]
    for series, slices, code, words in sent:
        shown = node.wait_for(series, "ineligible")
        assert shown["code"] == code
        assert words in shown["message"]
        assert len(node.call("GET", f"/series/{series}")[1]["Instances"]) == slices


def test_a_person_may_overrule_the_dose_but_not_the_geometry(node: Node) -> None:
    normal = node.send(ct_series(6, change=normal_dose))
    assert node.wait_for(normal, "ineligible")["actions"] == ["run"]
    assert node.act(normal, "run")[0] == 200
    assert "a person asked for it" in node.wait_for(normal, "done")["decision"]

    broken = node.send(ct_series(9, change=gap))
    assert node.wait_for(broken, "ineligible")["actions"] == []
    status, refusal = node.act(broken, "run")
    assert (status, refusal["error"]["code"]) == (409, "missing-slice")


def test_again_makes_a_new_result_beside_the_old_one(node: Node) -> None:
    source = ct_series(6)
    first = node.wait_for(node.send(source), "done")
    assert node.act(first["series"], "run")[0] == 409
    assert node.act(first["series"], "again")[0] == 200
    second = node.wait_until(
        first["series"], lambda shown: shown["state"] == "done" and shown["job"]["attempt"] == 2
    )
    assert second["derived"]["series"] != first["derived"]["series"]
    assert node.series(first["derived"]["series"])["state"] == "result"
    assert [request["attempt"] for request in node.engine.jobs_of(source[0].SeriesInstanceUID)] == [1, 2]


def test_cancelling_stops_the_engine_and_again_starts_over(node: Node) -> None:
    node.engine.hold = True
    series = node.send(ct_series(6))
    running = node.wait_until(series, lambda shown: shown["state"] == "running" and "progress" in shown)
    assert (running["progress"], running["stage"], running["eta_seconds"]) == (0.25, "fetch", 60.0)
    status, cancelled = node.act(series, "cancel")
    assert (status, cancelled["state"]) == (200, "cancelled")
    node.wait_until(series, lambda _: running["job"]["key"] in node.engine.cancelled)
    node.engine.hold = False
    assert node.act(series, "again")[1]["state"] in ("pending", "running")
    assert node.wait_for(series, "done")["job"]["attempt"] == 2


def test_a_late_slice_supersedes_the_job(node: Node) -> None:
    node.engine.hold = True
    source = ct_series(12)
    series = node.send(source[:-1])
    first = node.wait_for(series, "running")["job"]["key"]
    node.send(source[-1:])
    node.wait_until(series, lambda shown: shown["job"]["key"] != first and shown["state"] == "running")
    assert first in node.engine.cancelled
    node.engine.hold = False
    assert node.wait_for(series, "done")["derived"]["instances"] == 24


def test_a_series_that_misses_a_slice_is_taken_when_the_slice_arrives(node: Node) -> None:
    source = ct_series(8)
    series = node.send([*source[:4], *source[5:]])
    assert node.wait_for(series, "ineligible")["code"] == "missing-slice"
    node.send(source[4:5])
    assert node.wait_for(series, "done")["derived"]["instances"] == 16


def test_the_engines_reason_is_shown_and_what_will_not_pass_is_not_repeated(node: Node) -> None:
    node.engine.outcome = {
        "code": "not-finite",
        "message": "pixels must be finite; send it again",
        "retryable": False,
    }
    source = ct_series(6)
    shown = node.wait_for(node.send(source), "failed")
    assert (shown["code"], shown["message"]) == ("not-finite", "pixels must be finite; send it again")
    assert len(node.engine.jobs_of(source[0].SeriesInstanceUID)) == 1


def test_what_may_pass_is_repeated_as_often_as_the_settings_say(node: Node) -> None:
    node.engine.outcome = {"code": "archive", "message": "the archive is away", "retryable": True}
    source = ct_series(6)
    shown = node.wait_until(
        node.send(source), lambda shown: shown["state"] == "failed" and "cancel" not in shown["actions"]
    )
    assert shown["message"] == "the archive is away"
    assert [request["attempt"] for request in node.engine.jobs_of(source[0].SeriesInstanceUID)] == [1, 2, 3]


def test_a_result_that_did_not_arrive_is_noticed(node: Node) -> None:
    node.engine.store_results = False
    shown = node.wait_until(
        node.send(ct_series(6)), lambda shown: shown["state"] == "failed" and "cancel" not in shown["actions"]
    )
    node.engine.store_results = True
    assert shown["code"] == "result-missing"
    assert "all 12 instances of the result must be in this archive, 12 are not" in shown["message"]


def test_the_status_tells_what_is_going_on_and_keeps_the_secrets(node: Node) -> None:
    node.wait_for(node.send(ct_series(6)), "done")
    status, shown = node.call("GET", "/nullsplat/status")
    assert status == 200
    assert shown["engine"]["reachable"] is True
    assert shown["engine"]["version"] == "0.0-fake"
    assert shown["counts"]["done"] >= 1
    assert shown["settings"]["destinations"] == ["PACS"]
    assert shown["last_reconciliation"].endswith("Z")
    assert not [secret for secret in (SECRET, ADMIN, ENGINE) if secret in str(shown)]


def test_the_engines_user_gets_at_images_and_nothing_else(node: Node) -> None:
    engine = ("engine", ENGINE)
    assert node.call("GET", "/dicom-web/studies?limit=1", user=engine)[0] == 200
    for path in (
        "/system",
        "/nullsplat/status",
        "/dicom-web/servers",
        "/dicom-web/../system",
        "/app/explorer.html",
    ):
        assert node.call("GET", path, user=engine)[0] == 403
    for user in (("engine", "wrong"), ("admin", ""), ("nobody", "x")):
        assert node.call("GET", "/nullsplat/status", user=user)[0] == 401


def test_questions_that_make_no_sense_get_their_reason(node: Node) -> None:
    nowhere = "-".join(["0" * 8] * 5)
    assert node.call("GET", f"/nullsplat/series/{nowhere}")[0] == 404
    assert node.act(nowhere, "run")[0] == 404
    assert node.call("PUT", f"/nullsplat/series/{nowhere}", b"{}")[0] == 405
    status, refusal = node.call("POST", f"/nullsplat/series/{nowhere}", b"run")
    assert (status, refusal["error"]["code"]) == (400, "bad-request")


def test_orthanc_explorer_is_extended(node: Node) -> None:
    assert "nullsplat-row" in node.raw("/plugins/explorer.js").decode()


def test_the_status_page_and_its_data_are_there(node: Node) -> None:
    page = node.raw("/nullsplat/page.html").decode()  # leads on to the page of now
    assert '<script type="module" src="app.js">' in page
    assert node.raw("/nullsplat/ui/") == node.raw("/nullsplat/ui/index.html") == page.encode()
    assert node.call("GET", "/nullsplat/ui/..%2fpages.py")[0] == 404
    series = node.wait_for(node.send(ct_series(6)), "done", "routing")["series"]
    overview = node.call("GET", "/nullsplat/overview")[1]
    assert overview["engine"]["reachable"]
    assert [name for name, there in overview["viewers"].items() if there] == ["web_viewer"]
    assert series in [row["series"] for row in overview["queue"]["rows"]]
    assert node.call("GET", f"/nullsplat/story/{series}")[1]["chapters"][0]["attempt"] == 1


def test_orthanc_gives_the_status_page_pixels_and_places_as_it_reads_them(node: Node) -> None:
    made = ct_series(6)
    series = node.send(made)
    placed = node.call("GET", f"/series/{series}/instances")[1]
    one = placed[0]["MainDicomTags"]
    source = next(dataset for dataset in made if dataset.SOPInstanceUID == one["SOPInstanceUID"])
    assert [float(value) for value in one["ImagePositionPatient"].split("\\")] == list(
        source.ImagePositionPatient
    )
    token = {"Accept": "image/x-portable-arbitrarymap"}
    shown = node.call("GET", f"/instances/{placed[0]['ID']}/image-int16", **token)[1].encode(
        "utf-8", "replace"
    )
    assert shown.startswith(b"P7\nWIDTH 16\nHEIGHT 16\nDEPTH 1\nMAXVAL 65535\nTUPLTYPE GRAYSCALE\nENDHDR\n")


def test_a_deleted_series_is_forgotten_and_its_job_cancelled(node: Node) -> None:
    node.engine.hold = True
    series = node.send(ct_series(6))
    key = node.wait_for(series, "running")["job"]["key"]
    node.call("DELETE", f"/series/{series}")
    other = node.send(ct_series(6, change=normal_dose))
    node.wait_until(other, lambda _: key in node.engine.cancelled)
    listed = [one["series"] for one in node.call("GET", "/nullsplat/status")[1]["series"]]
    assert series not in listed


def test_a_damaged_state_is_shown_and_a_person_can_start_afresh(node: Node) -> None:
    series = node.wait_for(node.send(ct_series(6)), "done")["series"]
    node.call("PUT", f"/series/{series}/metadata/NullSplat", b'{"format": 1, "phase": "nonsense"}')
    node.orthanc.kill()
    node.orthanc.start()
    shown = node.wait_for(series, "failed")
    assert shown["code"] == "state-unreadable"
    node.act(series, "again")
    assert node.wait_for(series, "done")["derived"]["instances"] == 12


def test_the_report_that_goes_with_a_result_reaches_the_pacs_and_is_never_taken(node: Node) -> None:
    node.engine.reports = True
    try:
        shown = node.wait_for(node.send(ct_series(6)), "done", "failed")
    finally:
        node.engine.reports = False
    study = node.call("GET", f"/series/{shown['series']}/study")[1]["ID"]
    found = {
        one["MainDicomTags"]["Modality"]: one
        for one in node.call("GET", f"/studies/{study}/series")[1]
        if one["ID"] != shown["series"]
    }
    assert set(found) == {"CT", "SR"}
    uid = found["SR"]["MainDicomTags"]["SeriesInstanceUID"]
    assert len(node.pacs.received(uid)) == 1
    assert node.series(found["SR"]["ID"])["state"] == "result"
    requests = len(node.engine.requests)
    node.send(files_of(node, found["SR"]["ID"]), calling="PACS")
    assert node.series(found["SR"]["ID"])["state"] == "result"
    assert len(node.engine.requests) == requests


def test_an_enhanced_image_is_taken_as_one_instance(node: Node) -> None:
    dataset = make_enhanced(Spec(shape=(12, 16, 20), spacing=(5.0, 0.7, 0.6)))
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    shown = node.wait_for(node.send([dataset]), "done", "failed")
    assert shown["state"] == "done"
    assert shown["decision"].endswith("12 slices 5 mm apart, scale 2 x 1 x 1 (z, y, x)")
    (request,) = node.engine.jobs_of(str(dataset.SeriesInstanceUID))
    assert request["fingerprint"] == fingerprint(dataset.SeriesInstanceUID, [dataset.SOPInstanceUID])

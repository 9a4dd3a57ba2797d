"""Roles and cross-site requests against a real Orthanc, route by route, in one session."""

import json

import pytest
from tests.support.plugin.node import Node
from tests.support.plugin.series import ct_series
from tests.support.security.guarded import NOWHERE, USERS, RestDescription, answer

from nullsplat.cli.checks.sockets import ports_open_everywhere

pytestmark = pytest.mark.orthanc

SEARCHES = {"/tools/find", "/tools/lookup", "/tools/bulk-content", "/tools/count-resources"}
ORDER = ("monitor", "reader", "ward", "admin")
READ = {
    "monitor": ["/nullsplat/metrics"],
    "reader": ["/", "/system", "/studies", "/app/explorer.html", "/modalities", "/peers", "/jobs", "/changes", "/nullsplat/ui/index.html",
               "/nullsplat/status", "/nullsplat/overview", f"/nullsplat/series/{NOWHERE}", "/dicom-web/studies", "/web-viewer/app/viewer.html",
               f"/wado?requestType=WADO&objectUID={NOWHERE}"],
    "admin": ["/modalities/PACS/configuration", "/dicom-web/servers/x", "//peers//x/", "/modalities?expand", "/peers?expand=1", "/dicom-web/servers?limit=3&expand"],
}  # fmt: skip
ACT = [f"/nullsplat/series/{NOWHERE}", "/nullsplat/queue"]


def allowed(node: Node, method: str, path: str, user: str, body: bytes = b"{}") -> bool:
    return answer(node, method, path, user, b"" if method == "GET" else body)[0] != 403


def test_why_a_request_was_refused_stands_in_the_log_without_identifiers(guarded: Node) -> None:
    assert answer(guarded, "DELETE", f"/patients/{NOWHERE}", "ward")[0] == 403
    log = guarded.orthanc.log.read_text()
    assert "DELETE /patients/... needs the role administrator; the user 'ward' has the role operator" in log
    assert NOWHERE not in log


@pytest.mark.parametrize("least", READ)
def test_each_page_is_open_from_its_role_on(guarded: Node, least: str) -> None:
    for path in READ[least]:
        opened = [user for user in ORDER if allowed(guarded, "GET", path, user)]
        assert opened == list(ORDER[ORDER.index(least) :]), path


def test_the_actions_of_the_status_page_are_for_operators(guarded: Node) -> None:
    for path in ACT:
        assert [user for user in USERS if allowed(guarded, "POST", path, user)] == ["admin", "ward"], path
        status, text = answer(guarded, "POST", path, "reader", b"{}")
        message = json.loads(text)["error"]["message"]
        assert status == 403
        assert "needs the role operator; the user 'reader' has the role viewer" in message


def test_whatever_changes_something_in_orthanc_is_for_administrators(
    guarded: Node, description: RestDescription
) -> None:
    routes = description.changing()
    assert len(routes) > 80
    assert {("POST", "/tools/reset"), ("DELETE", f"/series/{NOWHERE}"), ("POST", "/tools/bulk-delete")} <= {
        *routes
    }
    for method, path in routes:
        opened = {user for user in USERS if user != "admin" and allowed(guarded, method, path, user)}
        assert opened == ({"reader", "ward", "guest"} if path in SEARCHES else set()), (method, path)
    guarded.orthanc.check()


def test_a_body_that_is_nested_too_deep_does_not_end_orthanc(guarded: Node) -> None:
    """Its web server's threads have a stack of 100 KB, and Python's parser calls itself for each level."""
    for path in ACT:
        assert answer(guarded, "POST", path, "ward", b"[" * 2000 + b"]" * 2000)[0] == 400, path
    guarded.orthanc.check()


def test_an_administrator_may_still_change_things(guarded: Node) -> None:
    assert answer(guarded, "DELETE", f"/series/{NOWHERE}")[0] == 404
    assert answer(guarded, "PUT", "/tools/log-level", body=b"default")[0] == 200
    assert answer(guarded, "POST", "/tools/generate-nothing")[0] == 404


def test_a_user_without_a_role_reads_and_is_named_at_start(guarded: Node) -> None:
    assert answer(guarded, "GET", "/studies", "guest")[0] == 200
    assert answer(guarded, "DELETE", f"/series/{NOWHERE}", "guest")[0] == 403
    assert "may only read (role viewer): guest" in guarded.orthanc.log.read_text()


def test_orthanc_listens_on_loopback_alone_where_its_version_can(guarded: Node) -> None:
    version = json.loads(answer(guarded, "GET", "/system")[1])["Version"]
    can = tuple(map(int, version.split(".")[:2])) >= (1, 13)
    assert (guarded.orthanc.http_port in ports_open_everywhere()) is not can


def test_a_method_in_disguise_is_judged_by_what_orthanc_would_do(guarded: Node) -> None:
    for headers, path in (({}, "?_method=DELETE"), ({"X_HTTP_Method_Override": "DELETE"}, "")):
        target = f"/series/{NOWHERE}{path}"
        assert answer(guarded, "GET", target, "reader", **headers)[0] == 403
        assert answer(guarded, "GET", target, **headers)[0] == 404


def test_nothing_is_changed_for_a_page_of_another_site(guarded: Node, description: RestDescription) -> None:
    for method, path in [
        *description.changing(),
        ("PUT", "/webdav/uploads/x"),
        ("POST", "/dicom-web/studies"),
    ]:
        for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Origin": "http://evil.example"}):
            assert (
                answer(guarded, method, path, body=b"{}", Content_Type="text/plain", **headers)[0] == 403
            ), path
    guarded.orthanc.check()
    assert answer(guarded, "POST", "/tools/find", body=b'{"Level": "Study", "Query": {}}')[0] == 200


def test_orthanc_is_not_reset_but_says_what_to_do_and_lives(guarded: Node) -> None:
    status, text = answer(guarded, "POST", "/tools/reset")
    assert status == 403
    assert "restart the service" in json.loads(text)["error"]["message"]
    assert "needs the role administrator" in answer(guarded, "POST", "/tools/reset", "ward")[1]
    guarded.orthanc.check()
    series = guarded.send(ct_series(3))
    guarded.wait_for(series, "done", "pending", "running", "ineligible")

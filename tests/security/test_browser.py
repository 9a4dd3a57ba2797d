"""Real pages of another site, in a real browser that is logged in to Orthanc."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.support.plugin.node import Node
from tests.support.plugin.series import ct_series
from tests.support.security.guarded import USERS, answer
from tests.support.ui.browser import Browser, chromium, why_not

pytestmark = pytest.mark.orthanc

INSECURE = "ct.example"
"""A name that the browser takes for another machine: over http to there it sends no Sec-Fetch-Site."""
FORM = """<form id=f method=post enctype=text/plain action='{base}/tools/bulk-delete'>
<input name='{{"Resources": ["{series}"], "x": "' value='"}}'></form>
<script>f.submit()</script>"""
FETCH = """<script>fetch('{base}/tools/bulk-delete', {{method: 'POST', mode: 'no-cors', credentials: 'include',
headers: {{'Content-Type': 'text/plain'}}, body: '{{"Resources": ["{series}"]}}'}})</script>"""
PICTURE = "<img referrerpolicy=no-referrer src='{base}/series/{series}?_method=DELETE'>"
LINK = "<meta http-equiv=refresh content='0; url={base}/series/{series}?_method=DELETE'>"
ATTACKS = {"form": FORM, "link": LINK, "fetch": FETCH, "picture": PICTURE}
UNPARTITIONED = ("fetch", "picture")
"""For these, Chromium keeps the password by the site that asks; other browsers do not, so the test sends it along."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if reason := why_not():
        pytest.skip(reason)
    elsewhere = f"--host-resolver-rules=MAP {INSECURE} 127.0.0.1"
    with chromium(tmp_path_factory.mktemp("chromium"), elsewhere) as started:
        yield started


@contextmanager
def site(page: str) -> Iterator[str]:
    """Another site with one page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://localhost:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def log_in(browser: Browser, node: Node, host: str) -> str:
    """Open Orthanc Explorer as a person does who types the password, and return Orthanc's address."""
    user, password = USERS["admin"]
    authority = f"{host}:{node.orthanc.http_port}"
    browser.open(f"http://{user}:{password}@{authority}/app/explorer.html")
    browser.until(lambda: browser.run("return typeof $ !== 'undefined'"))
    return f"http://{authority}"


def answered(browser: Browser, base: str) -> list[int]:
    """What Orthanc answered to the page's requests, as soon as it did."""
    found: list[int] = []

    def some() -> bool:
        for entry in browser.drain("performance"):
            message = json.loads(entry["message"])["message"]
            response = message["params"].get("response", {})
            if message["method"] == "Network.responseReceived" and response["url"].startswith(base):
                found.append(response["status"])
        return bool(found)

    browser.until(some, f"nothing was sent to {base}")
    return found


@pytest.mark.parametrize("host", ["127.0.0.1", INSECURE])
def test_no_page_of_another_site_deletes_a_series_but_orthanc_explorer_does(
    guarded: Node, browser: Browser, host: str
) -> None:
    series = guarded.send(ct_series(3))
    base = log_in(browser, guarded, host)
    for name, attack in ATTACKS.items():
        browser.authorise(*(USERS["admin"] if name in UNPARTITIONED else ("", "")))
        with site(attack.format(base=base, series=series)) as address:
            browser.open(address)
            assert answered(browser, base) == [403], name  # 401 would be a browser that is not logged in
        assert answer(guarded, "GET", f"/series/{series}")[0] == 200, name
    browser.authorise("", "")
    log_in(browser, guarded, host)
    browser.run(f"$.ajax({{url: '../series/{series}', type: 'DELETE', async: false}})")
    assert answer(guarded, "GET", f"/series/{series}")[0] == 404


@pytest.mark.parametrize("host", ["127.0.0.1", INSECURE])
def test_the_status_page_s_own_buttons_work(guarded: Node, browser: Browser, host: str) -> None:
    base = log_in(browser, guarded, host)
    browser.open(f"{base}/nullsplat/ui/")
    browser.click("[data-action=pause]")
    browser.click("dialog [value=yes]")
    browser.click("[data-action=resume]")
    browser.until(lambda: browser.all("[data-action=pause]"))
    assert guarded.engine.paused is False


def test_a_reader_who_presses_a_button_is_told_which_role_it_needs(guarded: Node, browser: Browser) -> None:
    log_in(browser, guarded, "127.0.0.1")
    browser.authorise("reader", USERS["reader"][1])
    browser.open(f"{guarded.orthanc.url}/nullsplat/ui/")
    browser.click("[data-action=pause]")
    browser.click("dialog [value=yes]")
    browser.until(lambda: any("needs the role operator" in text for text in browser.texts("dialog")))
    browser.authorise("", "")
    assert guarded.engine.paused is False

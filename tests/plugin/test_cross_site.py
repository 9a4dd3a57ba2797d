"""Whose request it is, by the headers that browsers and programs really send."""

import pytest

from nullsplat_node.access.cross_site import from_elsewhere

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140", "accept-language": "en-GB"}
HOST = {"host": "node:8042"}

OURS = {
    "curl": {"user-agent": "curl/8.5.0", "content-type": "application/x-www-form-urlencoded"},
    "requests": {"user-agent": "python-requests/2.32", "content-type": "text/plain"},
    "PowerShell": {"user-agent": "Mozilla/5.0 (Windows NT; en-US) WindowsPowerShell/5.1"},
    "Node.js": {"user-agent": "node", "accept-language": "*", "sec-fetch-mode": "cors"},
    "own page": {**BROWSER, "origin": "http://node:8042"},
    "own page over https": {**BROWSER, "sec-fetch-site": "same-origin", "origin": "https://node:8042"},
    "own page whose proxy tells the name": {
        **BROWSER, "origin": "https://ct.example", "x-forwarded-host": "ct.example, inner",
    },
    "own page whose https proxy hides the name": {
        **BROWSER, "sec-fetch-site": "same-origin", "origin": "https://ct.example",
    },
    "own page without an origin": {**BROWSER, "referer": "http://NODE:8042/app/explorer.html"},
    "own form that keeps its address secret": {**BROWSER, "sec-fetch-site": "same-origin", "origin": "null"},
    "browser extension": {**BROWSER, "sec-fetch-site": "none", "sec-fetch-mode": "cors"},
    "trusted portal": {**BROWSER, "origin": "https://Portal.example", "sec-fetch-site": "cross-site"},
}  # fmt: skip
THEIRS = {
    "another site": {**BROWSER, "sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    "another site over http": {**BROWSER, "origin": "http://evil.example"},
    "another port": {**BROWSER, "origin": "http://node:8043"},
    "a sister site": {**BROWSER, "sec-fetch-site": "same-site", "origin": "http://node:8042"},
    "a sandbox": {**BROWSER, "origin": "null"},
    "an address that is none": {**BROWSER, "referer": "http://["},
    "a picture": {**BROWSER, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    "a picture over http": {**BROWSER, "referer": "http://evil.example/"},
    "a picture over http without a referrer": BROWSER,
    "a link in a mail": {**BROWSER, "sec-fetch-site": "none", "sec-fetch-mode": "navigate"},
    "a name that only looks alike": {**BROWSER, "origin": "http://node:8042.evil.example"},
}  # fmt: skip


@pytest.mark.parametrize("sender", OURS)
def test_programs_and_the_node_s_own_pages_may_change_something(sender: str) -> None:
    assert not from_elsewhere({**HOST, **OURS[sender]}, frozenset({"https://portal.example"}))


@pytest.mark.parametrize("sender", THEIRS)
def test_pages_of_other_sites_may_not(sender: str) -> None:
    assert from_elsewhere({**HOST, **THEIRS[sender]}, frozenset({"https://portal.example"}))

"""People log in at an OpenID Connect provider and get the role in Orthanc that their groups give them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from tests.support.plugin.node import Node, running_node
from tests.support.security.apache import start_apache, why_no_apache
from tests.support.security.authority import Authority, example_authority
from tests.support.security.oidc_provider import Provider
from tests.support.service.engine import wait_for

from nullsplat.node.processes import free_port

pytestmark = pytest.mark.orthanc
USERS = {"ct-viewer": "viewer", "ct-operator": "operator", "ct-administrator": "administrator"}
PAUSE = "/nullsplat/queue"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return example_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    if reason := why_no_apache():
        pytest.skip(reason)
    with ExitStack() as stack:
        registered = {"RegisteredUsers": dict.fromkeys(USERS, "telltale-password")}
        node = running_node(
            tmp_path_factory.mktemp("node"), stack, registered, Roles={"admin": "administrator", **USERS}
        )
        yield node
        node.orthanc.kill()


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with Provider(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture(scope="module")
def site(
    node: Node, provider: Provider, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The address of the node for people, and Apache's folder."""
    folder, port = tmp_path_factory.mktemp("site") / "apache", free_port()
    names = ("NullSplatViewer", "NullSplatOperator", "NullSplatAdministrator")
    users = {name: f"{user}:telltale-password" for name, user in zip(names, USERS, strict=True)}
    child = start_apache(folder, authority, port, node.orthanc.http_port, provider.url, users)
    yield f"https://127.0.0.1:{port}", folder
    child.stop()


@pytest.fixture
def browser(site: tuple[str, Path], authority: Authority) -> Iterator[httpx.Client]:
    """Somebody's browser, who has not logged in."""
    with httpx.Client(base_url=site[0], verify=authority.client(), trust_env=False, timeout=30) as client:
        yield client


def log_in(browser: httpx.Client, provider: Provider, *groups: str) -> httpx.Response:
    """The answer to the page that somebody of these groups wanted to see."""
    provider.claims = {"preferred_username": "jane.doe", "groups": list(groups)}
    return browser.get("/nullsplat/status", follow_redirects=True)


def test_who_has_not_logged_in_is_sent_to_the_provider(browser: httpx.Client, provider: Provider) -> None:
    answer = browser.get("/nullsplat/status")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{provider.url}/authorize?")


@pytest.mark.parametrize(
    ("groups", "pause", "system"),
    [
        (["staff", "ct-viewers"], 403, 403),
        (["ct-operators", "staff"], 200, 403),
        (["ct-viewers", "ct-operators", "ct-administrators"], 200, 200),
    ],
    ids=["viewer", "operator", "administrator of all groups"],
)
def test_groups_become_roles(
    browser: httpx.Client, provider: Provider, groups: list[str], pause: int, system: int
) -> None:
    answer = log_in(browser, provider, *groups)
    assert answer.status_code == 200
    assert "engine" in answer.json()
    origin = {"Origin": str(browser.base_url).rstrip("/")}
    assert browser.post(PAUSE, json={"action": "pause"}, headers=origin).status_code == pause
    assert (
        browser.put("/modalities/OTHER", json=["A", "127.0.0.1", 104], headers=origin).status_code == system
    )


def test_other_sites_change_nothing_with_somebodys_session(browser: httpx.Client, provider: Provider) -> None:
    log_in(browser, provider, "ct-administrators")
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert browser.post(PAUSE, json={"action": "pause"}, headers=elsewhere).status_code == 403


def test_who_is_in_no_group_is_refused(browser: httpx.Client, provider: Provider) -> None:
    assert log_in(browser, provider, "staff", "not-ct-viewers", "ct-viewers-of-old").status_code == 403


def test_headers_of_ones_own_give_no_role(browser: httpx.Client, provider: Provider, node: Node) -> None:
    log_in(browser, provider, "ct-viewers")
    forged = {
        "Authorization": httpx.BasicAuth("admin", "admin-password")._auth_header,
        "OIDC_CLAIM_groups": "ct-administrators",
        "Origin": str(browser.base_url).rstrip("/"),
    }
    assert browser.post(PAUSE, json={"action": "pause"}, headers=forged).status_code == 403


def test_the_log_names_the_person_and_no_search(
    browser: httpx.Client, provider: Provider, site: tuple[str, Path]
) -> None:
    log_in(browser, provider, "ct-viewers")
    browser.get("/dicom-web/studies", params={"PatientName": "DOE"})
    log = site[1] / "nullsplat.log"  # of which Apache writes a line after it has answered
    wait_for(lambda: "/dicom-web/studies 200" in log.read_text(), what="the line")
    assert "jane.doe" in log.read_text()
    assert "DOE" not in log.read_text()

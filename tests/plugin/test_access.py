from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nullsplat_node.access.gate import LARGEST_QUESTION, Gate, normal, shown, user_of
from nullsplat_node.access.roles import ENGINE, METRICS, OPERATOR, ROLES, VIEWER, Roles, assign, may, needed
from nullsplat_node.checks import SettingsError

SERIES = "0f" * 22
USERS = {role: role for role in ROLES}
GATE = Gate(Roles(USERS, VIEWER), frozenset())


def basic(user: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{user}:p:w".encode()).decode()}


def code(method: str, uri: str, user: str) -> str:
    refusal = GATE.refusal(method, uri, basic(user))
    return refusal.code if refusal else ""


@pytest.mark.parametrize(
    "uri",
    ["/dicom-web/studies", "/dicom-web/studies/1.2/series/3.4", "/dicom-web/series", "/dicom-web/instances"],
)
def test_the_engine_may_read_and_store_images(uri: str) -> None:
    assert code("GET", uri, "engine") == code("POST", uri, "engine") == ""


@pytest.mark.parametrize(
    "uri",
    ["/", "/system", "/series", "/nullsplat/status", "/tools/execute-script", "/dicom-web", "/dicom-web/servers/x/stow",
     "/dicom-web-x/studies", "/dicom-web/studiesX", "/wado", "/modalities/PACS/store", "/x/dicom-web/studies"],
)  # fmt: skip
def test_the_engine_may_do_nothing_else(uri: str) -> None:
    assert code("GET", uri, "engine") == code("POST", uri, "engine") == "forbidden"
    assert code("GET", uri, "administrator") == ""


def test_the_engine_may_not_delete_what_it_may_read() -> None:
    assert code("DELETE", "/dicom-web/studies/1.2", "engine") == "forbidden"


@pytest.mark.parametrize("uri", ["/modalities", "/peers", "/dicom-web/servers", "//modalities/"])
@pytest.mark.parametrize("value", ["", "1", "false"])
def test_a_list_that_also_shows_how_partners_are_reached_is_for_administrators(uri: str, value: str) -> None:
    for role in ("metrics", "viewer", "operator", "engine"):
        refusal = GATE.refusal("GET", uri, basic(role), {"expand": value})
        assert refusal is not None, role
    assert refusal.message.startswith(f"GET {normal(uri)}?expand needs the role administrator")
    assert GATE.refusal("GET", uri, basic("administrator"), {"expand": value}) is None
    assert GATE.refusal("GET", uri, basic("viewer"), {"since": "3"}) is None
    assert GATE.refusal("GET", "/studies", basic("viewer"), {"expand": ""}) is None


@pytest.mark.parametrize(
    ("method", "uri", "least"),
    [
        ("GET", "/nullsplat/metrics", "metrics"),
        ("GET", "/tools/metrics-prometheus", "metrics"),
        ("GET", "/", "viewer"),
        ("GET", "/series/x/study", "viewer"),
        ("GET", "/nullsplat/ui/index.html", "viewer"),
        ("GET", "/dicom-web/studies", "viewer"),
        ("GET", "/modalities", "viewer"),
        ("POST", "/tools/find", "viewer"),
        ("POST", "/tools/bulk-content", "viewer"),
        ("POST", f"/nullsplat/series/{SERIES}", "operator"),
        ("POST", "/nullsplat/queue", "operator"),
        ("GET", "//peers//other/system/", "administrator"),
        ("GET", "/dicom-web/servers/other", "administrator"),
        ("POST", "/dicom-web/studies", "administrator"),
        ("POST", "/tools/find/x", "administrator"),
        ("POST", "/tools/bulk-delete", "administrator"),
        ("POST", "/instances", "administrator"),
        ("PUT", "/series/x/metadata/NullSplat", "administrator"),
        ("DELETE", "/series/x", "administrator"),
        ("DELETE", "/nullsplat/queue", "administrator"),
        ("?", "/system", "administrator"),
    ],
)
def test_each_request_has_a_least_role_and_those_above_it_have_it_too(
    method: str, uri: str, least: str
) -> None:
    order = ["metrics", "viewer", "operator", "administrator"]
    assert needed(method, normal(uri)) == least
    allowed = [role for role in order if not code(method, uri, role)]
    assert allowed == order[order.index(least) :]


@pytest.mark.parametrize("length", [str(LARGEST_QUESTION + 1), "9" * 40, "-1", "²"])
def test_who_stores_no_images_cannot_have_orthanc_take_memory_for_a_large_request(length: str) -> None:
    for user, uri, refused in (
        ("viewer", "/tools/find", "too-large"),
        ("operator", "/nullsplat/queue", "too-large"),
        ("engine", "/dicom-web/studies", ""),
        ("administrator", "/instances", ""),
    ):
        refusal = GATE.refusal("POST", uri, {**basic(user), "content-length": length})
        assert (refusal.code if refusal else "") == refused
    allowed = {**basic("viewer"), "content-length": str(LARGEST_QUESTION)}
    assert GATE.refusal("POST", "/tools/find", allowed) is None


def test_a_user_without_a_role_may_read_only() -> None:
    assert code("GET", "/studies", "somebody") == ""
    assert code("DELETE", "/studies/x", "somebody") == "forbidden"


def test_a_refusal_names_the_user_the_role_and_the_role_needed_but_no_identifier() -> None:
    refusal = GATE.refusal("POST", "/studies/1.2.840.113/merge", basic("operator"))
    assert refusal is not None
    assert refusal.message == (
        "POST /studies/.../merge needs the role administrator; the user 'operator' has the role operator "
        "(NullSplat.Roles in Orthanc's configuration)"
    )


@given(st.text(max_size=40))
def test_no_header_whatever_crashes_the_filter(header: str) -> None:
    assert isinstance(user_of({"authorization": header}), str)
    for name in ("origin", "referer", "host", "x-forwarded-host", "sec-fetch-site", "user-agent"):
        GATE.refusal("POST", "/instances", {"host": "node", name: header})


@given(st.text(max_size=40), st.sampled_from(ROLES), st.sampled_from(["GET", "POST", "PUT", "DELETE", "?"]))
def test_no_path_is_open_to_a_lower_role_and_closed_to_a_higher_one(
    path: str, role: str, method: str
) -> None:
    above = {METRICS: VIEWER, VIEWER: OPERATOR}.get(role, "administrator")
    assert not may(role, method, normal(path)) or may(above, method, normal(path))
    assert role == ENGINE or may(role, method, normal(path)) in (True, False)


@given(st.text(alphabet="/ab1.-\n", max_size=30))
def test_a_path_is_shown_without_what_may_identify(path: str) -> None:
    assert not any(mark in shown(normal(path)).replace("...", "") for mark in "1.\n")


def test_the_user_is_read_as_orthanc_reads_it() -> None:
    assert user_of(basic("engine")) == "engine"
    assert user_of({}) == ""
    assert user_of({"authorization": "Bearer engine"}) == ""


def asking(**section: object) -> dict[str, object]:
    return {
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"admin": "x", "engine": "x", "m": "x"},
        "NullSplat": section,
    }


def test_by_default_the_user_admin_is_the_administrator_and_the_others_are_viewers() -> None:
    roles = assign({"admin": "administrator"}, "engine", asking())
    assert [roles.of(user) for user in ("admin", "engine", "m", "")] == [
        "administrator", "engine", "viewer", "viewer",
    ]  # fmt: skip


def test_without_passwords_everybody_is_an_administrator_and_roles_are_refused() -> None:
    open_to_all = {**asking(Roles={"m": "metrics"}), "AuthenticationEnabled": False}
    with pytest.raises(SettingsError, match=r"Roles needs AuthenticationEnabled true"):
        assign({"m": "metrics"}, "engine", open_to_all)
    assert assign({}, "engine", {**open_to_all, "NullSplat": {}}).of("") == "administrator"
    unsaid = {"RemoteAccessAllowed": True, "NullSplat": {}}  # Orthanc asks for passwords then
    assert assign({}, "engine", unsaid).of("x") == "viewer"


@pytest.mark.parametrize(
    ("given_roles", "words"),
    [
        ({"M": "metrics"}, r"names 'M', who is not among RegisteredUsers \(admin, engine, m\)"),
        ({"engine": "administrator"}, "whose role is engine"),
    ],
)
def test_a_role_for_nobody_or_two_for_one_are_refused(given_roles: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        assign(given_roles, "engine", asking(Roles=given_roles))

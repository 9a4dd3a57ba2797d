"""STOW-RS to other servers: what their answers mean, what is never sent to whom, and that a slow one holds nobody up."""

import json
import queue
import ssl
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.plugin.beside import SECRET, EngineBeside, running, wait_until
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import ct_series
from tests.support.plugin.stow_server import StowServer, all_stored, response
from tests.support.security.authority import example_authority

from nullsplat.node.processes import free_port
from nullsplat_node.archive.archive import Archive
from nullsplat_node.checks import SettingsError
from nullsplat_node.lifecycle.routing import Outcome, Route
from nullsplat_node.lifecycle.state import SeriesState
from nullsplat_node.outgoing import post as posting
from nullsplat_node.outgoing.errands import Errands
from nullsplat_node.outgoing.partners import Partner
from nullsplat_node.outgoing.store_response import judged
from nullsplat_node.outgoing.stow import IN_A_REQUEST, Instance, Stow, Unreadable
from nullsplat_node.settings import read_criteria, read_settings
from nullsplat_node.work.carriers import StowCarrier

TOKEN = "telltale-token-of-the-tests"
ROUTE = Route("CLOUD", series="s")
SENT = ["2.25.1", "2.25.2"]


# ---- What an answer means ----


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, response(stored=SENT)),
        (200, [response(stored=SENT)]),
        (202, response(stored=SENT[:1], failed={SENT[1]: 0x0111})),
        (409, response(failed=dict.fromkeys(SENT, 0x0111))),
        (409, response(failed=dict.fromkeys(SENT, 45070))),
    ],
)
def test_what_a_server_has_counts_as_delivered_whenever_it_came(status: int, answer: Any) -> None:
    assert judged(status, json.dumps(answer).encode(), SENT, ROUTE) == Outcome(done=True)


@pytest.mark.parametrize(
    ("status", "answer", "error", "cure"),
    [
        (202, response(stored=SENT[:1], failed={SENT[1]: 0xA700}), "1 of 2 instances were not stored, Failure Reason 0xA700", ""),
        (409, response(failed=dict.fromkeys(SENT, 0x0122)), "2 of 2 instances were not stored", "have CLOUD accept CT images"),
        (409, response(failed=dict.fromkeys(SENT, 0xC122)), "Failure Reason 0xC122", "transfer syntax"),
        (409, response(failed=dict.fromkeys(SENT, 0x0124)), "Failure Reason 0x0124", "have CLOUD accept images from this node"),
        (409, {}, "HTTP 409, without a confirmation of 2 of 2", ""),
        (200, {}, "without a confirmation of 2 of 2 instances in DICOM JSON", ""),
        (200, response(stored=SENT[:1]), "without a confirmation of 1 of 2", ""),
        (200, response(stored=["2.25.3"]), "without a confirmation of 2 of 2", ""),
        (200, {"00081199": {"Value": [None, {"00081155": 3}, {"00081155": {"Value": [{}]}}]}}, "without a confirmation", ""),
        (200, "<NativeDicomModel/>", "without a confirmation", ""),
        (503, {}, "HTTP 503", ""),
        (500, response(stored=SENT), "HTTP 500", ""),
        (429, {}, "HTTP 429", ""),
        (404, {}, "HTTP 404", ""),
        (307, {}, "HTTP 307", "a redirect is not followed"),
        (401, {}, "HTTP 401", "correct the credentials"),
        (413, {}, "HTTP 413", "look at the log of CLOUD"),
    ],
)  # fmt: skip
def test_whatever_else_is_no_delivery_and_only_what_may_pass_is_repeated(
    status: int, answer: Any, error: str, cure: str
) -> None:
    outcome = judged(status, json.dumps(answer).encode(), SENT, ROUTE)
    assert not outcome.done
    assert error in outcome.error
    assert cure in outcome.cure
    assert bool(outcome.cure) == bool(cure)
    assert not outcome.cure or "then send again" in outcome.cure


def test_an_answer_of_a_hostile_depth_or_size_is_no_confirmation() -> None:
    for body in (b"[" * 100_000, b"\xff", b""):
        assert "without a confirmation" in judged(200, body, SENT, ROUTE).error


values = st.none() | st.integers() | st.text(max_size=3)
anything = st.recursive(
    values,
    lambda x: (
        st.lists(x, max_size=3)
        | st.dictionaries(st.sampled_from(["00081199", "00081198", "00081155", "00081197", "Value"]), x)
    ),
)


@hypothesis.settings(max_examples=60, deadline=None)
@given(st.integers(100, 599), anything)
def test_no_answer_is_a_surprise(status: int, answer: Any) -> None:
    outcome = judged(status, json.dumps(answer).encode(), SENT, ROUTE)
    assert outcome.settled
    assert not outcome.done or status in (200, 202, 409)


# ---- Against a server ----


@pytest.fixture
def server() -> Iterator[StowServer]:
    with StowServer() as server:
        yield server


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


def files(count: int) -> dict[str, bytes]:
    """Files of a series by their SOP Instance UIDs."""
    made = {}
    for dataset in ct_series(count):
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        made[str(dataset.SOPInstanceUID)] = buffer.getvalue()
    return made


def stow(partner: Partner, held: dict[str, bytes]) -> Stow:
    return Stow(partner, lambda _: [Instance(uid, uid, len(held[uid])) for uid in held], held.__getitem__)


def test_a_series_goes_in_requests_of_some_instances_with_the_secret(server: StowServer, token: Path) -> None:
    held = files(IN_A_REQUEST + 3)
    outcome = stow(Partner("CLOUD", server.url, token_file=str(token)), held).send(ROUTE)
    assert outcome == Outcome(done=True)
    assert [len(uids) for uids in server.requests] == [IN_A_REQUEST, 3]
    assert server.received == held.keys()
    assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {TOKEN}"}
    assert {headers["path"] for headers in server.headers} == {"/dicom-web/studies"}


def test_no_instance_is_read_before_the_one_before_it_was_handed_on() -> None:
    """32 maps of 400 MB would not fit into memory."""
    held, read = files(4), list[str]()

    def reading(uid: str) -> bytes:
        read.append(uid)
        return held[uid]

    sending = replace(stow(Partner("CLOUD", "http://127.0.0.1"), held), read=reading)
    parts = sending._body(sending.instances("s"), "b").parts
    assert [len(read) for part in parts if part in held.values()] == [1, 2, 3, 4]


def test_a_password_is_sent_as_basic_authentication(server: StowServer, token: Path) -> None:
    partner = Partner("CLOUD", server.url, user="sénder", password_file=str(token))
    assert stow(partner, files(1)).send(ROUTE).done
    assert server.headers[0]["Authorization"] == "Basic c8OpbmRlcjp0ZWxsdGFsZS10b2tlbi1vZi10aGUtdGVzdHM="


def test_a_renewed_token_is_used_without_a_restart(server: StowServer, token: Path) -> None:
    sending = stow(Partner("CLOUD", server.url, token_file=str(token)), files(1))
    server.answering = lambda _: (401, {})
    assert sending.send(ROUTE) == Outcome(error="HTTP 401; is the token in BearerTokenFile still valid?")
    token.write_text("another")
    server.answering = all_stored
    assert sending.send(ROUTE).done
    assert server.headers[-1]["Authorization"] == "Bearer another"
    token.write_text("")
    assert "BearerTokenFile must name a file with a secret in it" in sending.send(ROUTE).error


def test_a_redirect_takes_neither_the_secret_nor_an_image_elsewhere(server: StowServer, token: Path) -> None:
    with StowServer() as elsewhere:
        server.redirects_to = f"{elsewhere.url}/studies"
        outcome = stow(Partner("CLOUD", server.url, token_file=str(token)), files(1)).send(ROUTE)
        assert "a redirect is not followed" in outcome.cure
        assert elsewhere.headers == []


def test_only_a_certificate_of_the_named_authority_gets_the_secret(token: Path, tmp_path: Path) -> None:
    authority, stranger = (example_authority(tmp_path / name) for name in ("authority", "stranger"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate("engine"), authority.key("engine"))
    with StowServer(tls=context) as server:
        partner = Partner("CLOUD", server.url, str(stranger.ca_file), 5, str(token))
        refused = stow(partner, files(1)).send(ROUTE)
        assert "its certificate is not trusted" in refused.error
        assert "let CaFile name its issuer's" in refused.error
        assert server.headers == []
        assert stow(replace(partner, ca_file=str(authority.ca_file)), files(1)).send(ROUTE).done
        assert server.headers[0]["Authorization"] == f"Bearer {TOKEN}"
        authority.ca_file.unlink()
        lost = stow(replace(partner, ca_file=str(authority.ca_file)), files(1)).send(ROUTE)
        assert "CaFile must name a readable file" in lost.error


def test_proxies_of_the_environment_are_not_asked(
    server: StowServer, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StowServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert stow(Partner("CLOUD", server.url, token_file=str(token)), files(1)).send(ROUTE).done
        assert proxy.headers == []


def test_who_answers_before_all_is_sent_and_hangs_up_is_listened_to(server: StowServer) -> None:
    server.hangs_up_with = 413
    held = dict.fromkeys([f"2.25.{n}" for n in range(8)], bytes(2**20))
    outcome = stow(Partner("CLOUD", server.url, timeout=60), held).send(ROUTE)
    assert outcome.error == "HTTP 413"


def test_a_silent_server_is_given_up_after_its_time(server: StowServer) -> None:
    server.may_answer.clear()
    outcome = stow(Partner("CLOUD", server.url, timeout=0.2), files(1)).send(ROUTE)
    assert outcome.error == "timed out"
    assert not outcome.cure


def test_a_request_ends_however_lively_the_server_is(
    server: StowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "LONGEST_REQUEST", 0.2)
    server.may_answer.clear()
    outcome = stow(Partner("CLOUD", server.url, timeout=60), files(1)).send(ROUTE)
    assert not outcome.done
    assert outcome.error


def test_nobody_there_is_said_and_may_pass() -> None:
    outcome = stow(Partner("CLOUD", f"http://127.0.0.1:{free_port()}"), files(1)).send(ROUTE)
    assert outcome == Outcome(error="Connection refused")


def test_an_instance_that_is_not_as_long_as_announced_is_not_sent_as_if(server: StowServer) -> None:
    held = files(1)
    sending = Stow(
        Partner("CLOUD", server.url, timeout=60),
        lambda _: [Instance(uid, uid, len(held[uid]) + 1) for uid in held],
        held.__getitem__,
    )
    assert "announced" in sending.send(ROUTE).error
    assert server.requests == []


def test_an_instance_that_is_gone_ends_the_delivery_with_that_reason(server: StowServer) -> None:
    def gone(_: str) -> bytes:
        raise Unreadable("Orthanc does not know it")

    sending = Stow(Partner("CLOUD", server.url), lambda _: [Instance("i", "2.25.1", 9)], gone)
    assert sending.send(ROUTE) == Outcome(error="Orthanc does not know it")


# ---- Settings ----


def settings(section: dict[str, Any], **others: Any) -> Any:
    configuration = {
        "UserMetadata": {"NullSplat": 4701},
        "NullSplat": {"DicomWebDestinations": {"CLOUD": section}},
        **others,
    }
    return read_settings(configuration, {"NULLSPLAT_SECRET": SECRET})


URL = "https://pacs.example/dicom-web"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({}, r"CLOUD.Url must be like"),
        ({"Url": "http://pacs.example"}, r"CLOUD.Url must begin with https.*AllowHttp"),
        ({"Url": "https://user:word@pacs.example"}, r"without credentials"),
        ({"Url": "https://pacs.example:99999"}, r"CLOUD.Url must be like"),
        ({"Url": URL, "Tokenfile": "x"}, r"Tokenfile is not a setting; did you mean BearerTokenFile"),
        ({"Url": URL, "Username": "u"}, r"needs both Username, without a colon, and PasswordFile"),
        ({"Url": URL, "Username": "u:v", "PasswordFile": "x"}, r"needs both Username, without a colon"),
        ({"Url": URL, "Username": "u", "PasswordFile": "x", "BearerTokenFile": "x"}, r"must have either"),
        ({"Url": URL, "BearerTokenFile": "/nowhere"}, r"BearerTokenFile must name a readable file, /nowhere: No such file"),
        ({"Url": URL, "CaFile": "/nowhere"}, r"CLOUD.CaFile must be a readable file of PEM certificates"),
        ({"Url": "http://h", "AllowHttp": True, "CaFile": "/nowhere"}, r"CaFile needs a Url that begins with https"),
    ],
)  # fmt: skip
def test_a_destination_that_cannot_work_stops_the_start_with_the_settings_name(
    section: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=rf"NullSplat\.DicomWebDestinations.*{words}"):
        settings(section)


def test_a_token_that_could_smuggle_a_header_is_refused_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for content in (b"telltale\r\nX: y", b"two telltale", b"\xfftelltale", b" \n"):
        file.write_bytes(content)
        with pytest.raises(SettingsError, match="BearerTokenFile must name") as refusal:
            settings({"Url": URL, "BearerTokenFile": str(file)})
        assert "telltale" not in str(refusal.value)


def test_a_name_means_one_destination() -> None:
    with pytest.raises(SettingsError, match=r"CLOUD must have another name: one of DicomModalities"):
        settings({"Url": URL}, DicomModalities={"CLOUD": {}})


def test_rules_may_name_it_and_checking_them_needs_no_secret(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "a"\ndestinations = ["CLOUD"]\n')
    section = {"Url": URL, "BearerTokenFile": "/nowhere"}
    configuration: dict[str, Any] = {"NullSplat": {"RulesFile": str(rules), "DicomWebDestinations": {"CLOUD": section}},
                                     "DicomModalities": {"PACS": {}}}  # fmt: skip
    assert read_criteria(configuration).rules.destinations == ("CLOUD",)
    configuration["NullSplat"]["DicomWebDestinations"] = {"CLUOD": section}
    with pytest.raises(SettingsError, match="got 'CLOUD'; did you mean CLUOD"):
        read_criteria(configuration)


# ---- In the node ----


def test_a_series_goes_to_both_kinds_and_a_slow_server_holds_nobody_up(token: Path) -> None:
    orthanc = FakeOrthanc()
    source = orthanc.add(ct_series(4))
    with (
        StowServer() as quick,
        StowServer() as slow,
        EngineBeside(SECRET, reports=True, orthanc=orthanc) as engine,
    ):
        slow.may_answer.clear()
        servers = {"QUICK": quick, "SLOW": slow}
        sections = {
            name: {"Url": server.url, "AllowHttp": True, "BearerTokenFile": str(token)}
            for name, server in servers.items()
        }
        where = ["PACS", "SLOW", "QUICK"]
        with running(orthanc, engine, Destinations=where, DicomWebDestinations=sections) as service:

            def states() -> dict[str, set[str]]:
                routes = service.series(source).get("routes", [])
                return {
                    name: {one["state"] for one in routes if one["destination"] == name} for name in where
                }

            others = {"PACS": {"delivered"}, "SLOW": {"sending"}, "QUICK": {"delivered"}}
            wait_until(lambda: states() == others)
            assert service.series(source)["state"] == "routing"
            slow.may_answer.set()
            wait_until(lambda: service.series(source)["state"] == "done")
            shown = json.dumps([service.status(), service.history(source), service.metrics()])
    assert quick.received == slow.received
    assert len(quick.received) == sum(
        len(one["Instances"]) for key, one in orthanc._series.items() if key != source
    )
    assert TOKEN not in shown
    assert TOKEN not in json.dumps(orthanc.remembered(source))


def test_a_send_that_was_interrupted_by_a_restart_is_done_again(server: StowServer) -> None:
    orthanc = FakeOrthanc()
    source = orthanc.add(ct_series(4))
    server.may_answer.clear()
    section = {"CLOUD": {"Url": server.url, "AllowHttp": True}}
    with EngineBeside(SECRET, orthanc=orthanc) as engine:
        with running(orthanc, engine, Destinations=["CLOUD"], DicomWebDestinations=section) as service:
            wait_until(lambda: server.requests)
            assert service.series(source)["state"] == "routing"
        server.may_answer.set()
        with running(orthanc, engine, Destinations=["CLOUD"], DicomWebDestinations=section) as service:
            wait_until(lambda: service.series(source)["state"] == "done")
    assert len(server.requests) == 2
    assert server.requests[0] == server.requests[1]


def test_what_waits_behind_another_delivery_and_is_cancelled_meanwhile_is_never_sent(
    server: StowServer,
) -> None:
    orthanc, ended = FakeOrthanc(), queue.Queue[str]()
    server.may_answer.clear()
    carrier = StowCarrier(Partner("CLOUD", server.url), Archive(orthanc), Errands(ended.put))
    series = [orthanc.add(ct_series(3)) for _ in range(3)]
    routes = [Route("CLOUD", series=one) for one in series]
    jobs = [carrier.begin(route, "source", SeriesState("routing", 1.0)) for route in routes]
    carrier.withdraw(replace(routes[1], job=jobs[1]))
    server.may_answer.set()
    assert [ended.get(timeout=60) for _ in range(2)] == [jobs[0], jobs[2]]
    assert len(server.requests) == 2
    assert carrier.outcome(replace(routes[1], job=jobs[1])) is None

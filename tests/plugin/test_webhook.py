"""A webhook is told of a complete result: once it is, signed, without a patient's data, and tried again like a delivery."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.support.plugin.beside import SECRET, EngineBeside, questions_a_round, running, wait_until
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import ct_series

from nullsplat_node.checks import SettingsError
from nullsplat_node.lifecycle import routing
from nullsplat_node.lifecycle.routing import (
    DELIVERED,
    GIVEN_UP,
    NOTIFICATION,
    WAITING,
    Outcome,
    Parcel,
    Route,
)
from nullsplat_node.lifecycle.state import Result, SeriesState
from nullsplat_node.outgoing.partners import Partner
from nullsplat_node.outgoing.webhook import Webhook, message_about, signature
from nullsplat_node.settings import read_settings
from nullsplat_node.work.service import Service

RAW = b"telltale-secret-of-the-webhook"
TEXT = f"whsec_{base64.b64encode(RAW).decode()}"
ROUTE = Route("RIS", series="s", what=NOTIFICATION)


@dataclass
class Receiver:
    """On loopback, until it is left.

    Attributes:
        statuses: of its answers, the last one for all after it.
        got: headers and body of each request.
    """

    statuses: list[int] = field(default_factory=lambda: [204])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> "Receiver":
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.statuses[min(len(receiver.got), len(receiver.statuses)) - 1])
                self.send_header("Location", "http://127.0.0.1:9/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def secret(tmp_path: Path) -> str:
    file = tmp_path / "webhook.secret"
    file.write_text(f"{TEXT}\n")
    return str(file)


# ---- Signature ----


@pytest.mark.parametrize(
    ("secret", "identifier", "timestamp", "message", "signed"),
    [
        ("plJ3nmyCDGBKInavdOK15jsl", "msg_loFOjxBNrRLzqYUf", 1731705121, b'{"event_type":"ping","data":{"success":true}}',
         "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}',
         "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ],
)  # fmt: skip
def test_signatures_are_those_of_the_standards_own_library(
    secret: str, identifier: str, timestamp: int, message: bytes, signed: str
) -> None:
    """The second is what the PyPI package standardwebhooks makes of it."""
    assert signature(base64.b64decode(secret), identifier, timestamp, message) == signed


def test_a_request_is_signed_with_its_time_and_keeps_its_name_over_tries(
    receiver: Receiver, secret: str
) -> None:
    webhook = Webhook(Partner("RIS", receiver.url, timeout=5), secret)
    receiver.statuses = [503, 204]
    assert webhook.send(b'{"a": 1}', ROUTE, clock=lambda: 1000.9) == Outcome(error="HTTP 503")
    assert webhook.send(b'{"a": 1}', ROUTE, clock=lambda: 2000.0).done
    (first, body), (second, _) = receiver.got
    assert first["webhook-id"] == second["webhook-id"]
    assert (first["webhook-timestamp"], second["webhook-timestamp"]) == ("1000", "2000")
    assert first["webhook-signature"] == signature(RAW, first["webhook-id"], 1000, body)
    assert first["webhook-signature"] != second["webhook-signature"]
    assert webhook.send(b'{"a": 2}', ROUTE).done
    assert receiver.got[2][0]["webhook-id"] != first["webhook-id"]


def test_a_redirect_is_not_followed_and_waits_for_a_person(receiver: Receiver, secret: str) -> None:
    receiver.statuses = [307]
    outcome = Webhook(Partner("RIS", receiver.url, timeout=5), secret).send(b"{}", ROUTE)
    assert "a redirect is not followed" in outcome.cure
    assert len(receiver.got) == 1


# ---- Settings ----


def settings(section: dict[str, Any], **others: Any) -> Any:
    found = {"Webhooks": {"RIS": section}, **others}
    return read_settings(
        {"UserMetadata": {"NullSplat": 4701}, "NullSplat": found}, {"NULLSPLAT_SECRET": SECRET}
    )


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"Url": "https://ris.example/hook"}, "RIS.SecretFile must name the file with the secret, it is empty"),
        ({"Url": "http://ris.example/hook", "SecretFile": "x"}, "RIS.Url must begin with https"),
        ({"Url": "https://ris.example/hook", "SecretFile": "/nowhere"}, "RIS.SecretFile must name a readable file"),
        ({"Url": "https://ris.example/hook", "BearerTokenFile": "x"}, "BearerTokenFile is not a setting"),
    ],
)  # fmt: skip
def test_a_webhook_that_cannot_work_stops_the_start(section: dict[str, Any], words: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"NullSplat\.Webhooks\.{words}|NullSplat\.Webhooks\.RIS\.{words}"
    ):
        settings(section)


@pytest.mark.parametrize(
    "content", ["telltale", "whsec_telltale!", "whsec_dGVsbHRhbGU=", "whsec_" + "A" * 100]
)
def test_a_secret_of_another_form_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "s"
    file.write_text(content)
    with pytest.raises(SettingsError, match="must name a file with whsec_ and 24 to 64 bytes") as refusal:
        settings({"Url": "https://ris.example/hook", "SecretFile": str(file)})
    assert content not in str(refusal.value)


def test_a_name_is_of_one_kind_only(secret: str) -> None:
    others = {"DicomWebDestinations": {"RIS": {"Url": "https://pacs.example"}}}
    with pytest.raises(
        SettingsError, match=r"Webhooks\.RIS must have another name: one of DicomWebDestinations"
    ):
        settings({"Url": "https://ris.example/hook", "SecretFile": secret}, **others)


# ---- When ----


def test_a_result_is_told_as_a_whole_and_after_all_deliveries() -> None:
    parcels = (Parcel("images"), Parcel("report", "SR"))
    routes = routing.for_each((Route("PACS"), Route("RIS")), parcels, {"RIS"})
    assert [(route.destination, route.what) for route in routes] == [
        ("PACS", ""),
        ("PACS", "SR"),
        ("RIS", NOTIFICATION),
    ]
    assert routing.due(routes) == routes[:2]
    ended = tuple(replace(route, phase=DELIVERED) for route in routes[:2])
    assert routing.due((*ended, routes[2])) == (*ended, routes[2])
    assert (
        routing.again(replace(routes[2], phase=DELIVERED)).phase == WAITING
    )  # what is sent again is told again


def test_the_message_names_no_patient_and_is_the_same_for_the_same_state() -> None:
    request = {
        "study_instance_uid": "1.2",
        "series_instance_uid": "1.2.3",
        "attempt": 2,
        "patient": "Test^Case",
    }
    result = Result("2.25.1", "r", 48, {"note": "Test^Case"}, {"2.25.2": "q"})
    routes = (Route("PACS", DELIVERED), Route("CLOUD", GIVEN_UP, error="Test^Case"), ROUTE)
    state = SeriesState(
        "routing", 1.0, key="k", request=request, result=result, routes=routes, decision="Test^Case"
    )
    message = message_about("s", state)
    assert message == message_about("s", replace(state, since=2.0))
    assert json.loads(message) == {
        "type": "result.complete",
        "data": {
            "series": "s", "study_instance_uid": "1.2", "series_instance_uid": "1.2.3", "job": "k", "attempt": 2, "marked": None,
            "result": {"series": "r", "series_instance_uid": "2.25.1", "instances": 48,
                       "further_series_instance_uids": ["2.25.2"]},
            "deliveries": [{"destination": "PACS", "what": "images", "state": "delivered"},
                           {"destination": "CLOUD", "what": "images", "state": "given-up"}],
        },
    }  # fmt: skip


# ---- In the node ----


def reaches(service: Service, source: str, state: str) -> dict[str, Any]:
    wait_until(lambda: service.series(source)["state"] == state)
    return service.series(source)


def test_the_receiver_hears_of_a_result_when_it_arrived_everywhere(receiver: Receiver, secret: str) -> None:
    orthanc = FakeOrthanc()
    source = orthanc.add(ct_series(4))
    orthanc.unreachable, receiver.statuses = True, [500, 204]
    section = {"RIS": {"Url": receiver.url, "AllowHttp": True, "SecretFile": secret}}
    with (
        EngineBeside(SECRET, reports=True, orthanc=orthanc) as engine,
        running(orthanc, engine, Destinations=["PACS", "RIS"], Webhooks=section) as service,
    ):
        wait_until(lambda: any(one["tries"] > 1 for one in service.series(source).get("routes", [])))
        assert receiver.got == []
        orthanc.unreachable = False
        shown = reaches(service, source, "done")
        told = json.dumps([shown, service.status(), service.history(source)])
    assert [destination for _, destination in orthanc.sent] == ["PACS", "PACS"]
    assert len(receiver.got) == 2  # after the first was not taken
    first, second = receiver.messages
    assert first == second
    assert first["data"]["series"] == source
    assert {one["state"] for one in first["data"]["deliveries"]} == {DELIVERED}
    assert shown["routes"][-1] == {
        "destination": "RIS",
        "state": "delivered",
        "tries": 1,
        "what": NOTIFICATION,
    }
    assert TEXT not in told
    assert RAW.decode() not in told


def test_what_was_not_delivered_is_told_and_told_again_after_it_was(receiver: Receiver, secret: str) -> None:
    orthanc = FakeOrthanc()
    source = orthanc.add(ct_series(4))
    orthanc.unreachable = True
    section = {"RIS": {"Url": receiver.url, "AllowHttp": True, "SecretFile": secret}}
    with (
        EngineBeside(SECRET, orthanc=orthanc) as engine,
        running(orthanc, engine, Destinations=["RIS", "PACS"], Webhooks=section, DeliveryTries=2) as service,
    ):
        reaches(service, source, "undelivered")
        orthanc.unreachable = False
        service.act(source, "deliver")
        reaches(service, source, "done")
    states = [[one["state"] for one in message["data"]["deliveries"]] for message in receiver.messages]
    assert states == [[GIVEN_UP], [DELIVERED]]


def test_a_receiver_that_is_away_does_not_keep_the_node_busy(secret: str) -> None:
    """A notification that waits for its next try, or for deliveries, must not make the worker spin."""
    orthanc = FakeOrthanc()
    source = orthanc.add(ct_series(4))
    orthanc.unreachable = True
    section = {"RIS": {"Url": "http://127.0.0.1:9/", "AllowHttp": True, "SecretFile": secret}}
    with (
        EngineBeside(SECRET, orthanc=orthanc) as engine,
        running(
            orthanc, engine, Destinations=["PACS", "RIS"], Webhooks=section, RetryFirst=60, RetryLongest=60
        ) as service,
    ):
        reaches(service, source, "routing")
        assert max(questions_a_round(orthanc, 3)) < 12  # with a look at the open series
        orthanc.unreachable = False

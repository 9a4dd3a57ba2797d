"""A client of UPS-RS written from PS3.18 alone: urllib and JSON, nothing of the engine and no DICOM library."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import quote, urlencode

DICOM_JSON = "application/dicom+json"
SCHEME = "99NULLSPLAT"

STATE, PRIORITY, TRANSACTION = "00741000", "00741200", "00081195"
UID, LABEL, PATIENT_ID = "00080018", "00741204", "00100020"
INPUT, STUDY, SERIES = "00404021", "0020000D", "0020000E"
PERFORMED, OUTPUT, REFERENCED = "00741216", "00404033", "00081199"
PROGRESS, PERCENT, DESCRIPTION = "00741002", "00741004", "00741006"
CANCELED_AT, REASON, REASON_CODE = "00404052", "00741238", "0074100E"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def items(self) -> list[dict[str, Any]]:
        assert self.headers["Content-Type"] == DICOM_JSON
        items: list[dict[str, Any]] = json.loads(self.body)
        return items

    @property
    def warning(self) -> str:
        return self.headers.get("Warning", "")


@dataclass(frozen=True)
class UpsClient:
    url: str
    secret: str
    types: dict[str, str] = field(default_factory=lambda: {"Accept": DICOM_JSON, "Content-Type": DICOM_JSON})

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the URL is a test's own
            self.url + path,
            data,
            {**self.types, "Authorization": f"Bearer {self.secret}", **headers},
            method=method,
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def create(self, workitem: Any, query: str = "") -> Answer:
        return self.send("POST", f"/workitems{query}", workitem)

    def retrieve(self, uid: str) -> dict[str, Any]:
        answer = self.send("GET", f"/workitems/{uid}")
        assert answer.status == 200, answer.body
        (item,) = answer.items
        return item

    def search(self, **keys: str) -> list[dict[str, Any]]:
        answer = self.send("GET", f"/workitems?{urlencode(keys)}")
        assert answer.status in (200, 204, 206), answer.body
        return answer.items if answer.status != 204 else []

    def update(self, uid: str, attributes: Any, transaction: str = "") -> Answer:
        query = f"?transaction-uid={quote(transaction)}" if transaction else ""
        return self.send("POST", f"/workitems/{uid}{query}", attributes)

    def change_state(self, uid: str, state: str, transaction: str | None = "2.25.77") -> Answer:
        asked = {STATE: {"vr": "CS", "Value": [state]}}
        if transaction is not None:
            asked[TRANSACTION] = {"vr": "UI", "Value": [transaction]}
        return self.send("PUT", f"/workitems/{uid}/state", asked)

    def cancel(self, uid: str, reason: Any = None) -> Answer:
        return self.send("POST", f"/workitems/{uid}/cancelrequest", reason)

    def state(self, uid: str) -> str:
        return value(self.retrieve(uid), STATE)


def value(item: dict[str, Any], *path: str) -> Any:
    """The first value of an attribute; before it the sequences that it lies in, of each the first item."""
    for tag in path[:-1]:
        item = item[tag]["Value"][0]
    return item[path[-1]]["Value"][0]


def code(value: str, scheme: str, meaning: str) -> dict[str, Any]:
    parts = {"00080100": ("SH", value), "00080102": ("SH", scheme), "00080104": ("LO", meaning)}
    return {tag: {"vr": vr, "Value": [text]} for tag, (vr, text) in parts.items()}


def text_item(name: str, text: str) -> dict[str, Any]:
    named = {"0040A043": {"vr": "SQ", "Value": [code(name, SCHEME, name)]}}
    return {"0040A040": {"vr": "CS", "Value": ["TEXT"]}, "0040A160": {"vr": "UT", "Value": [text]}} | named


def number_item(name: str, number: float) -> dict[str, Any]:
    units = {"004008EA": {"vr": "SQ", "Value": [code("1", "UCUM", "no units")]}}
    named = {"0040A043": {"vr": "SQ", "Value": [code(name, SCHEME, name)]}}
    return (
        {"0040A040": {"vr": "CS", "Value": ["NUMERIC"]}, "0040A30A": {"vr": "DS", "Value": [number]}}
        | named
        | units
    )


def order(
    study: str, series: str, instances: list[str], *parameters: dict[str, Any], priority: str = "MEDIUM"
) -> dict[str, Any]:
    """A workitem that asks for `preview` with slices half as thick, unless `parameters` ask for something else."""
    parameters = parameters or (text_item("PRESET", "preview"), text_item("SCALE", "2,1,1"))
    references = [
        {
            "00081150": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
            "00081155": {"vr": "UI", "Value": [uid]},
        }
        for uid in instances
    ]
    source = {
        "0040E020": {"vr": "CS", "Value": ["DICOM"]},
        STUDY: {"vr": "UI", "Value": [study]},
        SERIES: {"vr": "UI", "Value": [series]},
        REFERENCED: {"vr": "SQ", "Value": references},
    }
    return {
        TRANSACTION: {"vr": "UI"},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "DOE^JANE"}]},
        PATIENT_ID: {"vr": "LO", "Value": ["4711"]},
        STATE: {"vr": "CS", "Value": ["SCHEDULED"]},
        PRIORITY: {"vr": "CS", "Value": [priority]},
        "00741202": {"vr": "LO", "Value": ["Night list"]},
        LABEL: {"vr": "LO", "Value": ["Thin slices"]},
        "00404005": {"vr": "DT", "Value": ["20261201060000"]},
        "00404018": {"vr": "SQ", "Value": [code("110001", "DCM", "Image Processing")]},
        "00404041": {"vr": "CS", "Value": ["READY"]},
        INPUT: {"vr": "SQ", "Value": [source]},
        "00741210": {"vr": "SQ", "Value": list(parameters)},
    }

"""UPS-RS: each transaction, with the status and the warning that PS3.18 chapter 11 gives each case."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from tests.service.test_controls import audited
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import SERIES as SOURCE
from tests.support.service.dicom_samples import STUDY as SOURCE_STUDY
from tests.support.service.engine import SECRET, Engine
from tests.support.service.ups_client import (
    CANCELED_AT,
    DESCRIPTION,
    DICOM_JSON,
    INPUT,
    LABEL,
    OUTPUT,
    PATIENT_ID,
    PERCENT,
    PERFORMED,
    PRIORITY,
    PROGRESS,
    REASON,
    REASON_CODE,
    REFERENCED,
    SERIES,
    STATE,
    STUDY,
    TRANSACTION,
    UID,
    UpsClient,
    number_item,
    order,
    text_item,
    value,
)

from nullsplat.service.contract.messages import fault
from nullsplat.service.database.schema import open_database
from nullsplat.service.queue.retention import Retention

Request = Callable[..., dict[str, Any]]
VIEWER = "a-secret-for-viewers"
OURS = "2.25.4711"
UNKNOWN = "2.25.1"
INCONSISTENT = "The submitted request is inconsistent with the state of the UPS Instance."
HIGH = {PRIORITY: {"vr": "CS", "Value": ["HIGH"]}}


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"NULLSPLAT_VIEWER_SECRET": VIEWER}


@pytest.fixture
def client(engine: Engine) -> UpsClient:
    return UpsClient(str(engine.client.base_url), SECRET)


@pytest.fixture
def workitem(archive: ArchiveDouble) -> dict[str, Any]:
    """An order of the series that the archive holds."""
    return order(SOURCE_STUDY, SOURCE, list(archive.instances[SOURCE]))


def created(client: UpsClient, workitem: dict[str, Any], query: str = "") -> str:
    answer = client.create(workitem, query)
    assert answer.status == 201, answer.body
    return str(answer.headers["Location"]).rpartition("/")[2]


def uid_of(client: UpsClient, **keys: str) -> str:
    (item,) = client.search(**keys)
    return str(value(item, UID))


def refusal(answer: Any, status: int, words: str = "") -> None:
    assert answer.status == status, answer.body
    assert fault("error", json.loads(answer.body)) is None
    assert words in answer.warning


# Create Workitem


def test_a_workitem_becomes_the_job_that_the_same_order_of_the_plugin_is(
    engine: Engine, client: UpsClient, workitem: dict[str, Any], request_for: Request
) -> None:
    answer = client.create(workitem)
    assert (answer.status, answer.body) == (201, b"")
    assert answer.warning.endswith(": The Workitem was created with modifications.")
    assert answer.headers["Location"] == answer.headers["Content-Location"]
    key = engine.put(request_for())  # 200: it is there already
    assert [job["key"] for job in engine.client.get("/v1/jobs").json()["jobs"]] == [key]
    assert engine.status(key)["request"] == request_for()
    uid = answer.headers["Location"].rpartition("/")[2]
    assert uid == f"2.25.{int(key, 16)}"
    assert value(client.retrieve(uid), UID) == uid


def test_every_parameter_reaches_the_job(engine: Engine, client: UpsClient, workitem: dict[str, Any]) -> None:
    gaps = {"0040A168": {"vr": "SQ", "Value": [yes := text_item("ALLOWGAPS", "")]}}
    yes["00080100"] = {"vr": "SH", "Value": ["373066001"]}
    workitem["00741210"]["Value"] = [
        text_item("PRESET", "standard"),
        text_item("SCALE", "2.5,2,2"),
        text_item("SLICEPROFILE", "bell*1.2"),
        number_item("SEED", 7),
        number_item("SAMPLES", 3),
        number_item("ATTEMPT", 4),
        text_item("ALLOWGAPS", "") | gaps,
    ]
    uid = created(client, workitem | HIGH)
    (job,) = engine.client.get("/v1/jobs").json()["jobs"]
    assert job["request"]["attempt"] == 4
    assert job["request"]["priority"] == "stat"
    asked = {"preset": "standard", "scale": [2.5, 2, 2], "slice_profile": "bell*1.2", "seed": 7, "samples": 3}
    assert job["request"]["parameters"] == {**asked, "allow_gaps": True}
    shown = client.retrieve(uid)["00741210"]["Value"]
    assert len(shown) == 7
    assert value(shown[1], "0040A160") == "2.5,2,2"


@pytest.mark.parametrize("query", [f"?workitem={OURS}", f"?AffectedSOPInstanceUID={OURS}", f"?{OURS}", ""])
def test_a_client_may_choose_the_uid(client: UpsClient, workitem: dict[str, Any], query: str) -> None:
    chosen = {} if query else {UID: {"vr": "UI", "Value": [OURS]}}
    assert created(client, workitem | chosen, query) == OURS
    assert value(client.retrieve(OURS), UID) == OURS
    assert uid_of(client) == OURS
    refusal(client.create(workitem, f"?workitem={OURS}"), 409, "The Workitem already exists.")


def test_the_same_work_is_one_workitem_and_409_says_which(
    client: UpsClient, workitem: dict[str, Any]
) -> None:
    first = created(client, workitem)
    for query in ("", f"?workitem={OURS}"):
        again = client.create(workitem, query)
        refusal(again, 409, "The Workitem already exists.")
        assert again.headers["Location"].endswith(f"/workitems/{first}")
    assert len(client.search()) == 1


def test_work_that_was_cancelled_can_be_ordered_again_and_is_another_workitem(
    client: UpsClient, workitem: dict[str, Any]
) -> None:
    first = created(client, workitem)
    assert client.cancel(first).status == 202
    second = created(client, workitem)
    assert second != first
    assert (client.state(first), client.state(second)) == ("CANCELED", "SCHEDULED")
    workitem["00741210"]["Value"].append(number_item("ATTEMPT", 1))
    refusal(client.create(workitem), 409, "The Workitem already exists.")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({STATE: {"vr": "CS", "Value": ["IN PROGRESS"]}}, "must be SCHEDULED"),
        ({STATE: {"vr": "SQ", "Value": [{}]}}, "ProcedureStepState must have one value"),
        ({STATE: {"vr": "CS"}}, "must be SCHEDULED"),
        ({TRANSACTION: {"vr": "UI", "Value": ["2.25.9"]}}, "TransactionUID of a new workitem must be empty"),
        ({PRIORITY: {"vr": "CS", "Value": ["SOON"]}}, "one of HIGH, MEDIUM, LOW"),
        ({"00404018": {"vr": "SQ"}}, "(110001, DCM, Image Processing)"),
        ({"00404041": {"vr": "CS", "Value": ["INCOMPLETE"]}}, "InputReadinessState must be READY"),
        ({INPUT: {"vr": "SQ"}}, "InputInformationSequence must have one item"),
        ({INPUT: {"vr": "SQ", "Value": [{STUDY: {"vr": "UI", "Value": ["2.25.1"]}}]}}, "ReferencedSOPSequence"),
        ({INPUT: "DOE^JANE"}, "InputInformationSequence must be as the DICOM JSON model says"),
        ({UID: {"vr": "UI", "Value": ["2.025.1"]}}, "SOPInstanceUID"),
        ({"00741210": {"vr": "SQ"}}, "parameters must have preset, scale"),
        ({"00741210": {"vr": "SQ", "Value": [text_item("DOE", "1")]}}, "one of PRESET, SCALE, SEED"),
        ({"00741210": {"vr": "SQ", "Value": [text_item("SCALE", "DOE")]}}, "such as 4,1,1"),
        ({"00741210": {"vr": "SQ", "Value": [text_item("SCALE", "nan,1,1")]}}, "such as 4,1,1"),
        ({"00741210": {"vr": "SQ", "Value": [text_item("SEED", "DOE")]}}, "NumericValue must be one number"),
        ({"00741210": {"vr": "SQ", "Value": [text_item("ALLOWGAPS", "DOE")]}}, "ALLOWGAPS must be"),
    ],
)  # fmt: skip
def test_what_is_no_order_is_400_and_its_values_are_not_repeated(
    engine: Engine, client: UpsClient, workitem: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    answer = client.create(workitem | change)
    refusal(answer, 400, words)
    assert b"DOE" not in answer.body
    assert engine.client.get("/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null", b"3", b'["x"]', b"[{}, {}]", b"{}", b'{"00741000": 7}']
)
def test_a_payload_that_is_no_workitem_is_400(client: UpsClient, body: bytes) -> None:
    refusal(client.create(body), 400)


def test_a_series_of_thousands_of_instances_can_be_ordered(
    client: UpsClient, workitem: dict[str, Any]
) -> None:
    instances = [f"1.2.826.0.1.3680043.8.498.{10**37 + number}" for number in range(4000)]
    created(client, order(SOURCE_STUDY, SOURCE, instances))
    refusal(client.create(order(SOURCE_STUDY, SOURCE, instances * 3)), 413)


def test_nothing_of_a_patient_enters_the_database(
    engine: Engine, client: UpsClient, workitem: dict[str, Any]
) -> None:
    uid = created(client, workitem)
    client.cancel(uid, {REASON: {"vr": "LT", "Value": ["DOE^JANE went home"]}})
    item = client.retrieve(uid)
    assert "Value" not in item[PATIENT_ID]
    for path in engine.spool.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"DOE" not in content
            assert b"Thin slices" not in content


# Media types


def test_other_media_types_are_415_and_406(client: UpsClient, workitem: dict[str, Any]) -> None:
    xml = "application/dicom+xml"
    refusal(client.send("POST", "/workitems", workitem, **{"Content-Type": xml}), 415)
    refusal(client.send("GET", "/workitems", Accept=xml), 406)
    uid = created(client, workitem)
    refusal(client.send("GET", f"/workitems/{uid}", Accept=xml), 406)
    for accepted in ("*/*", f"{xml};q=0.5, {DICOM_JSON}", "application/json"):
        assert client.send("GET", f"/workitems/{uid}", Accept=accepted).status == 200


# Retrieve Workitem


def test_an_unknown_workitem_is_404_in_every_transaction(client: UpsClient) -> None:
    for uid in (UNKNOWN, "2.25.x", "1.2.3", f"2.25.{1 << 128}"):
        refusal(client.send("GET", f"/workitems/{uid}"), 404)
        refusal(client.update(uid, HIGH), 404)
        refusal(client.change_state(uid, "IN PROGRESS"), 404)
        refusal(client.cancel(uid), 404)


def test_a_job_that_the_plugin_ordered_is_a_workitem_from_its_beginning_to_its_end(
    engine: Engine, client: UpsClient, archive: ArchiveDouble, request_for: Request
) -> None:
    key = engine.put(request_for(priority="night"))
    uid = uid_of(client, ProcedureStepState="SCHEDULED")
    item = client.retrieve(uid)
    assert value(item, "00080016") == "1.2.840.10008.5.1.4.34.6.1"
    assert value(item, PRIORITY) == "LOW"
    assert value(item, LABEL) == "CT super-resolution, preview, 2 x 1 x 1"
    assert value(item, INPUT, STUDY) == value(item, STUDY) == SOURCE_STUDY
    assert value(item, INPUT, SERIES) == SOURCE
    assert value(item, PROGRESS, DESCRIPTION) == "position 1 in the queue"
    assert TRANSACTION not in item
    assert PERFORMED not in item
    engine.hold("stage1")
    engine.start_worker()
    engine.wait_for_stage(key, "stage1", "running")
    item = client.retrieve(uid)
    assert value(item, STATE) == "IN PROGRESS"
    assert value(item, PROGRESS, DESCRIPTION).startswith("stage1")
    assert item[PERFORMED]["Value"][0][OUTPUT]["Value"] == []
    engine.release("stage1")
    result = engine.wait(key, "succeeded")["result"]
    item = client.retrieve(uid)
    assert value(item, STATE) == "COMPLETED"
    assert value(item, PROGRESS, PERCENT) == 100
    output = item[PERFORMED]["Value"][0][OUTPUT]["Value"][0]
    assert value(output, SERIES) == result["series_instance_uid"]
    named = [value(one, "00081155") for one in output[REFERENCED]["Value"]]
    assert named == result["sop_instance_uids"]
    assert value(output, REFERENCED, "00081150") == "1.2.840.10008.5.1.4.1.1.2"
    assert set(named) == set(archive.instances[result["series_instance_uid"]])


def test_a_job_that_failed_is_canceled_and_says_why(
    engine: Engine, client: UpsClient, request_for: Request
) -> None:
    engine.control.mkdir(exist_ok=True)
    (engine.control / "fail-stage2").write_text("broken")
    engine.start_worker()
    failure = engine.wait(engine.put(request_for()), "failed")["failure"]
    item = client.retrieve(uid_of(client))
    assert value(item, STATE) == "CANCELED"
    assert value(item, PROGRESS, REASON) == failure["message"]
    assert value(item, PROGRESS, REASON_CODE, "00080100") == "110513"
    assert value(item, PROGRESS, CANCELED_AT)


# Update Workitem


def test_the_priority_of_a_scheduled_workitem_can_be_changed_and_nothing_else(
    engine: Engine, client: UpsClient, workitem: dict[str, Any]
) -> None:
    uid = created(client, workitem)
    assert (client.update(uid, HIGH).status, client.update(uid, HIGH).warning) == (200, "")
    assert value(client.retrieve(uid), PRIORITY) == "HIGH"
    (job,) = engine.client.get("/v1/jobs").json()["jobs"]
    assert job["waiting"]["priority"] == "stat"
    assert [line["priority"] for line in audited(engine, "moved")] == ["stat"]
    label = {LABEL: {"vr": "LO", "Value": ["Another"]}}
    other = client.update(uid, [label | {PRIORITY: {"vr": "CS", "Value": ["LOW"]}}])
    assert other.status == 200
    assert other.warning.endswith("The Workitem was updated with modifications.")
    assert (value(client.retrieve(uid), PRIORITY), value(client.retrieve(uid), LABEL)[:2]) == ("LOW", "CT")
    refusal(client.update(uid, {PRIORITY: {"vr": "CS", "Value": ["DOE"]}}), 400, "one of HIGH, MEDIUM, LOW")
    refusal(client.update(uid, {STATE: {"vr": "CS", "Value": ["COMPLETED"]}}), 400, INCONSISTENT)
    refusal(client.update(uid, HIGH, "2.25.77"), 400, "The Transaction UID is incorrect.")


# Change Workitem State, and all that depends on the state

STATES = ("SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")


@pytest.fixture
def in_each_state(engine: Engine, client: UpsClient, archive: ArchiveDouble) -> dict[str, str]:
    """UIDs of four workitems."""

    def ordered(attempt: int) -> str:
        parameters = (
            text_item("PRESET", "preview"),
            text_item("SCALE", "2,1,1"),
            number_item("ATTEMPT", attempt),
        )
        return created(client, order(SOURCE_STUDY, SOURCE, list(archive.instances[SOURCE]), *parameters))

    engine.start_worker()
    done = ordered(1)
    engine.wait(f"{int(done[5:]):032x}", "succeeded")
    engine.hold("stage1")
    running = ordered(2)
    engine.wait_for_stage(f"{int(running[5:]):032x}", "stage1", "running")
    canceled, scheduled = ordered(3), ordered(4)
    assert client.cancel(canceled).status == 202
    return dict(zip(STATES, (scheduled, running, done, canceled), strict=True))


def test_each_request_in_each_state_is_answered_as_the_tables_say(
    client: UpsClient, in_each_state: dict[str, str]
) -> None:
    """PS3.4 Table CC.1.1-2, where nobody but the performer has the right Transaction UID."""
    uids = in_each_state
    assert [client.state(uids[state]) for state in STATES] == list(STATES)
    nobody_else, wrong = "nobody else may claim one", "The Transaction UID is incorrect."
    already = {state: f"The UPS is already in the requested state of {state}." for state in STATES}
    answers = {
        "IN PROGRESS": ((403, nobody_else), (409, INCONSISTENT), (409, INCONSISTENT), (409, INCONSISTENT)),
        "COMPLETED": ((409, INCONSISTENT), (400, wrong), (200, already["COMPLETED"]), (409, INCONSISTENT)),
        "CANCELED": ((409, INCONSISTENT), (400, wrong), (409, INCONSISTENT), (200, already["CANCELED"])),
    }
    for wanted, expected in answers.items():
        for state, (status, words) in zip(STATES, expected, strict=True):
            answer = client.change_state(uids[state], wanted)
            assert (answer.status, words in answer.warning) == (status, True), (state, wanted)
            without = client.change_state(uids[state], wanted, transaction=None)
            refusal(without, 400, "The Transaction UID is missing.")
    for state in STATES:
        refusal(client.change_state(uids[state], "SCHEDULED"), 400, INCONSISTENT)
        refusal(client.change_state(uids[state], "DOE"), 400, INCONSISTENT)
    refusal(client.update(uids["IN PROGRESS"], HIGH), 400, "The Transaction UID is missing.")
    refusal(client.update(uids["IN PROGRESS"], HIGH, "2.25.77"), 400, "The Transaction UID is incorrect.")
    refusal(client.update(uids["COMPLETED"], HIGH), 400, INCONSISTENT)
    refusal(client.update(uids["CANCELED"], HIGH, "2.25.77"), 400, INCONSISTENT)
    refusal(client.cancel(uids["COMPLETED"]), 409, INCONSISTENT)
    again = client.cancel(uids["CANCELED"])
    assert (again.status, already["CANCELED"] in again.warning) == (202, True)
    assert [client.state(uids[state]) for state in STATES] == list(
        STATES
    )  # nothing of all that changed anything


# Request Cancellation


def test_scheduled_and_running_workitems_can_be_canceled(
    engine: Engine, client: UpsClient, in_each_state: dict[str, str]
) -> None:
    reason = {REASON: {"vr": "LT", "Value": ["no longer needed"]}}
    for state in ("SCHEDULED", "IN PROGRESS"):
        assert client.cancel(in_each_state[state], reason).status == 202
        item = client.retrieve(in_each_state[state])
        assert value(item, STATE) == "CANCELED"
        assert value(item, PROGRESS, REASON) == "cancelled on request"
    assert len(audited(engine, "cancelled")) == 3
    assert {line["who"] for line in audited(engine, "cancelled")} == {"client 127.0.0.1"}
    refusal(client.cancel(in_each_state["CANCELED"], b"{"), 400, "not JSON")


def test_a_workitem_whose_result_is_being_stored_is_not_canceled(
    engine: Engine, client: UpsClient, workitem: dict[str, Any]
) -> None:
    uid = created(client, workitem)
    with engine.database() as connection:
        connection.execute(sa.text("UPDATE nullsplat_jobs SET state = 'running', storing = true"))
    refusal(client.cancel(uid), 409, INCONSISTENT)
    assert client.state(uid) == "IN PROGRESS"


# Roles, limits and records


def test_an_order_is_audited_as_any_other_is(
    engine: Engine, client: UpsClient, workitem: dict[str, Any]
) -> None:
    created(client, workitem)
    client.create(workitem)
    (job,) = engine.client.get("/v1/jobs").json()["jobs"]
    (line,) = audited(engine, "requested")
    assert (line["job"], line["who"]) == (job["key"], "client 127.0.0.1")
    assert line["input"] == job["request"]["fingerprint"]


def test_a_viewer_may_search_and_retrieve_and_nothing_else(
    engine: Engine, client: UpsClient, workitem: dict[str, Any]
) -> None:
    uid = created(client, workitem)
    viewer = UpsClient(client.url, VIEWER)
    assert value(viewer.search()[0], UID) == value(viewer.retrieve(uid), UID) == uid
    for refused in (
        viewer.create(workitem),
        viewer.update(uid, HIGH),
        viewer.change_state(uid, "IN PROGRESS"),
        viewer.cancel(uid),
        viewer.send("GET", "/v1/jobs"),
        viewer.send("GET", "/v1/engine"),
        viewer.send("GET", "/metrics"),
        viewer.send("GET", "/workitemsx"),
    ):
        assert (refused.status, json.loads(refused.body)["error"]["code"]) == (403, "forbidden")
    assert client.state(uid) == "SCHEDULED"


def test_nobody_reads_the_worklist_without_a_secret(client: UpsClient) -> None:
    for secret in ("", "None", f"{VIEWER}x"):
        assert UpsClient(client.url, secret).send("GET", "/workitems").status == 401


def test_a_client_that_chose_a_uid_is_forgotten_with_its_job(
    engine: Engine, client: UpsClient, workitem: dict[str, Any]
) -> None:
    created(client, workitem, f"?workitem={OURS}")
    client.cancel(OURS)
    database = open_database(engine.environment["NULLSPLAT_DATABASE_URL"])
    retention = Retention(database)
    assert retention.purge(datetime.now(UTC) + timedelta(seconds=1)) == 1
    retention.close()
    database.dispose()
    refusal(client.send("GET", f"/workitems/{OURS}"), 404)
    with engine.database() as connection:
        assert connection.execute(sa.text("SELECT * FROM nullsplat_workitem_names")).all() == []

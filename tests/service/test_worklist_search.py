"""Search Workitems: matching as PS3.4 C.2.2.2 says, and what of the workitems is answered."""

import contextlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.service.dicom_samples import SERIES as SOURCE
from tests.support.service.dicom_samples import STUDY as SOURCE_STUDY
from tests.support.service.engine import SECRET, Engine
from tests.support.service.ups_client import DICOM_JSON, PERFORMED, PRIORITY, UID, UpsClient, value

from nullsplat.core.errors import InputError
from nullsplat.service.worklist.matching import MOST, query_in
from nullsplat.service.worklist.moments import moment, span
from nullsplat.service.worklist.naming import key_of, uid_of

Request = Callable[..., dict[str, Any]]


@pytest.fixture
def client(engine: Engine) -> UpsClient:
    return UpsClient(str(engine.client.base_url), SECRET)


@pytest.fixture
def uids(engine: Engine, client: UpsClient, request_for: Request) -> list[str]:
    """Three workitems, the newest first: the first two SCHEDULED, the last CANCELED."""
    priorities = enumerate(("night", "normal", "stat"), 1)
    keys = [engine.put(request_for(attempt, priority)) for attempt, priority in priorities]
    engine.client.delete(f"/v1/jobs/{keys[0]}")
    return [uid_of(key) for key in reversed(keys)]


def found(client: UpsClient, **keys: str) -> list[str]:
    return [value(item, UID) for item in client.search(**keys)]


def test_without_keys_all_are_found_the_newest_first(client: UpsClient, uids: list[str]) -> None:
    assert found(client) == uids


KEYS = (
    ({"ProcedureStepState": "SCHEDULED"}, [0, 1]),
    ({"00741000": "CANCELED"}, [2]),
    ({"ProcedureStepState": "SCHEDULED", "ScheduledProcedureStepPriority": "HIGH"}, [0]),
    ({"ScheduledProcedureStepPriority": "LOW"}, [2]),
    ({"ScheduledProcedureStepPriority": "SOON"}, []),
    ({"ProcedureStepState": "*ED"}, [0, 1, 2]),
    ({"ProcedureStepState": "SCHEDULED,CANCELED"}, [0, 1, 2]),
    ({"StudyInstanceUID": SOURCE_STUDY}, [0, 1, 2]),
    ({"InputInformationSequence.SeriesInstanceUID": SOURCE}, [0, 1, 2]),
    ({"00404021.0020000E": SOURCE}, [0, 1, 2]),
    ({"InputInformationSequence.SeriesInstanceUID": "2.25.1"}, []),
    ({"InputInformationSequence.StudyInstanceUID": f"2.25.1,{SOURCE_STUDY}"}, [0, 1, 2]),
    ({"ScheduledWorkitemCodeSequence.CodeValue": "110001"}, [0, 1, 2]),
    ({"ScheduledWorkitemCodeSequence.CodeValue": "110004"}, []),
    ({"ProcedureStepLabel": "CT super-res*2 x ? x 1"}, [0, 1, 2]),
    ({"ProcedureStepLabel": "CT super"}, []),
    ({"ScheduledProcedureStepStartDateTime": "20260101-"}, [0, 1, 2]),
    ({"ScheduledProcedureStepStartDateTime": "-20260101"}, []),
    ({"ScheduledProcedureStepModificationDateTime": "20260101-"}, [0, 1, 2]),
    ({"WorklistLabel": "", "ProcedureStepState": ""}, [0, 1, 2]),
    ({"PatientID": "4711"}, []),
    ({"PatientID": "*"}, [0, 1, 2]),
    ({"UnifiedProcedureStepPerformedProcedureSequence.PerformedProcedureStepEndDateTime": "2026"}, []),
)  # fmt: skip
"""Matching keys, and the places in `uids` of what they mean."""


def test_keys_match_as_the_standard_says(client: UpsClient, uids: list[str]) -> None:
    for keys, places in KEYS:
        assert found(client, **keys) == [uids[place] for place in places], keys


def test_several_uids_are_a_list(client: UpsClient, uids: list[str]) -> None:
    for separator in (",", "\\"):
        assert found(client, SOPInstanceUID=separator.join(uids[1:])) == uids[1:]
    assert found(client, SOPInstanceUID=uids[1]) == [uids[1]]
    assert found(client, SOPInstanceUID="1.2.3") == []


def test_nothing_found_is_204_without_a_body(client: UpsClient) -> None:
    answer = client.send("GET", "/workitems")
    assert (answer.status, answer.body) == (204, b"")


def test_pages_hold_each_workitem_once_and_206_says_that_there_are_more(
    client: UpsClient, uids: list[str]
) -> None:
    pages = [client.send("GET", f"/workitems?limit=2&offset={offset}") for offset in (0, 2, 4)]
    assert [page.status for page in pages] == [206, 200, 204]
    assert [value(item, UID) for page in pages[:2] for item in page.items] == uids
    assert pages[0].warning.endswith("There are additional results that can be requested.")
    assert pages[1].warning == ""
    assert pages[0].headers["Content-Type"] == DICOM_JSON


def test_what_names_every_instance_is_given_to_whom_asks_for_it(
    engine: Engine, client: UpsClient, request_for: Request
) -> None:
    engine.start_worker()
    engine.wait(engine.put(request_for()), "succeeded")
    assert PERFORMED not in client.search()[0]
    for fields in ("all", PERFORMED, "PatientID,UnifiedProcedureStepPerformedProcedureSequence"):
        assert PERFORMED in client.search(includefield=fields)[0]
    by_key = {"UnifiedProcedureStepPerformedProcedureSequence.PerformedProcedureStepEndDateTime": "20260101-"}
    assert PERFORMED in client.search(**by_key)[0]


def test_fuzzy_matching_is_literal_and_says_so(client: UpsClient, uids: list[str]) -> None:
    answer = client.send("GET", "/workitems?fuzzymatching=true&ProcedureStepState=CANCELED")
    assert [value(item, UID) for item in answer.items] == uids[2:]
    assert "Only literal matching has been performed." in answer.warning


@pytest.mark.parametrize(
    "query",
    [
        "Nonsense=1", "00090001=1", "limit=-1", "offset=x", "limit=99999999999", "includefield=DOE",
        "ProcedureStepState=A&00741000=B", "InputInformationSequence=1", "PatientID.PatientName=x",
        "ScheduledProcedureStepStartDateTime=yesterday", "ScheduledProcedureStepStartDateTime=20261345",
        "ScheduledProcedureStepStartDateTime=-", "Doe%5EJane=1", "=1", ".=1",
    ],
)  # fmt: skip
def test_a_malformed_query_is_refused_and_its_values_are_not_repeated(query: str) -> None:
    with pytest.raises(InputError) as caught:
        query_in(parse_qsl(query, keep_blank_values=True))
    assert "Jane" not in str(caught.value)


def test_a_refused_query_is_400(client: UpsClient) -> None:
    answer = client.send("GET", "/workitems?limit=-1")
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (400, "bad-request")
    assert answer.warning.endswith("limit must be a number that is not negative")


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        ("2026", "20261231235959.999999+0000", "20270101000000+0000"),
        ("202602", "20260228235959+0000", "20260301000000+0000"),
        ("20261130", "20261130235959+0000", "20261201000000+0000"),
        ("2026113012", "20261130125959+0000", "20261130130000+0000"),
        ("202611301200", "20261130120059+0000", "20261130120100+0000"),
        ("20261130120000", "20261130120000.999999+0000", "20261130120001+0000"),
        ("20261130120000.5", "20261130120000.599999+0000", "20261130120000.600000+0000"),
        ("20261130120000+0200", "20261130100000+0000", "20261130120000+0000"),
        ("20261130-20261201", "20261201235959+0000", "20261202000000+0000"),
        ("20261130-", "20991231000000+0000", "20261129235959+0000"),
        ("-20261130", "20261130235959+0000", "20261201000000+0000"),
        ("20261130-0500", "20261130050000+0000", "20261130045959+0000"),
        ("20261130-2027", "20271231000000+0000", "20280101000000+0000"),
    ],
)  # fmt: skip
def test_a_time_means_all_that_its_digits_leave_open(wanted: str, inside: str, outside: str) -> None:
    begin, end = span(wanted)
    assert begin <= moment(inside) < end
    assert not begin <= moment(outside) < end


@given(st.text(alphabet="0123456789-+. x", max_size=30))
def test_any_text_is_a_time_or_refused_in_words(text: str) -> None:
    try:
        begin, end = span(text)
    except InputError:
        return
    assert begin.tzinfo is not None
    assert end.tzinfo is not None


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=4))
def test_any_query_is_read_or_refused_in_words(parameters: list[tuple[str, str]]) -> None:
    with contextlib.suppress(InputError):
        assert query_in(parameters).limit <= MOST


@given(st.integers(0, (1 << 128) - 1))
def test_a_key_and_the_uid_of_its_workitem_follow_from_each_other(number: int) -> None:
    key = f"{number:032x}"
    assert key_of(uid_of(key)) == key
    assert len(uid_of(key)) <= 64
    assert key_of(f"2.25.{number + (1 << 128)}") is None


def test_priorities_are_searched_where_a_request_names_none(
    engine: Engine, client: UpsClient, request_for: Request
) -> None:
    request = request_for()
    del request["priority"]
    engine.put(request)
    assert [value(item, PRIORITY) for item in client.search(ScheduledProcedureStepPriority="MEDIUM")] == [
        "MEDIUM"
    ]

"""The plugin keeps to the contract: what it writes is valid, and it understands every valid answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from nullsplat.service.contract.messages import STAGES, schema
from nullsplat_node import checks
from nullsplat_node.engine import contract
from nullsplat_node.lifecycle.reconciler import Contact
from nullsplat_node.lifecycle.state import RUNNING, SeriesState
from nullsplat_node.views.overview import EngineSeen, engine_shown
from nullsplat_node.views.series import brief

ROOT = Path(__file__).resolve().parents[2]

EXAMPLES = {
    path.stem: json.loads(path.read_text()) for path in (ROOT / "tests/contract/examples").glob("*.json")
}
STATUSES = sorted(name for name in EXAMPLES if name.startswith("job_status."))


def valid(kind: str, message: Any) -> bool:
    return Draft202012Validator({**schema(), "$ref": f"#/$defs/{kind}"}).is_valid(message)


def definition(name: str) -> dict[str, Any]:
    found: dict[str, Any] = schema()["$defs"][name]
    return found


@pytest.mark.parametrize("name", sorted(name for name in EXAMPLES if name.startswith("job_request.")))
def test_the_plugin_writes_the_example_requests(name: str) -> None:
    example = EXAMPLES[name]
    made = contract.parameters("preview", (4.0, 1.0, 1.0), 0, 1)
    assert json.dumps(made) == json.dumps(example["parameters"])
    assert contract.job_key({**example, "parameters": made}) == contract.job_key(example)


def test_gaps_are_asked_for_only_where_they_are_allowed() -> None:
    plain, gaps = (
        contract.parameters("preview", (4, 1, 1), 0, 1, "auto", allowed) for allowed in (False, True)
    )
    assert valid("parameters", plain)
    assert valid("parameters", gaps)
    assert gaps == {**plain, "allow_gaps": True}


def test_the_key_is_the_agreed_one_and_priority_does_not_change_it() -> None:
    request = EXAMPLES["job_request.first-run"]
    assert contract.job_key(request) == "b6a730502cd122115b7c40e38db044fd"
    assert contract.job_key({**request, "priority": "stat"}) == contract.job_key(request)
    assert contract.job_key(EXAMPLES["job_request.again"]) != contract.job_key(request)


@pytest.mark.parametrize("stage", STAGES)
def test_pages_get_a_title_for_every_stage_whatever_its_prior(stage: str) -> None:
    shown = brief(SeriesState(RUNNING, 0.0), Contact(progress=0.5, stage=stage))
    assert shown["stage"] == stage
    assert shown["stage_title"] not in ("", stage)
    assert "projections" not in shown["stage_title"]  # the presets' prior works on slabs


@given(
    scale=st.tuples(*[st.floats(1, 16) | st.integers(1, 16)] * 3),
    preset=st.sampled_from(checks.PRESETS),
    seed=st.integers(0, 2**31 - 1),
    samples=st.integers(1, 64),
    uids=st.lists(st.from_regex(r"[0-9.]{1,64}", fullmatch=True), min_size=1),
    priority=st.sampled_from(checks.PRIORITIES),
)
def test_whatever_is_set_makes_a_valid_request(
    scale: tuple[float, float, float], preset: str, seed: int, samples: int, uids: list[str], priority: str
) -> None:
    request = {
        "study_instance_uid": uids[0],
        "series_instance_uid": uids[0],
        "fingerprint": contract.fingerprint(uids[0], uids),
        "attempt": 1,
        "parameters": contract.parameters(preset, scale, seed, samples),
        "priority": priority,
    }
    assert valid("job_request", request)
    assert json.loads(json.dumps(request)) == request
    key = contract.job_key(request)
    assert key == contract.job_key(json.loads(json.dumps(request)))
    assert valid("key", key)


def test_the_settings_allow_what_the_contract_allows() -> None:
    assert set(checks.PRESETS) == set(definition("parameters")["properties"]["preset"]["enum"])
    assert set(checks.PRIORITIES) == set(definition("job_request")["properties"]["priority"]["enum"])
    assert set(definition("job_status")["properties"]["state"]["enum"]) == contract.JOB_STATES


@given(st.lists(st.from_regex(r"[0-9.]{1,20}", fullmatch=True), unique=True, min_size=1))
def test_the_fingerprint_stands_for_the_set_of_instances(uids: list[str]) -> None:
    assert contract.fingerprint("1.2", uids) == contract.fingerprint("1.2", reversed(uids))
    assert contract.fingerprint("1.2", uids) != contract.fingerprint("1.2", uids[1:])


@pytest.mark.parametrize("name", STATUSES)
def test_every_example_status_is_understood(name: str) -> None:
    example = EXAMPLES[name]
    status = contract.read_job_status(example, example["key"])
    assert status.state == example["state"]
    assert status.progress == example["progress"]
    assert (status.failure is not None) == (status.state == "failed")
    assert (status.result is not None) == (status.state == "succeeded")
    if status.result:
        assert status.result.further == {"2.25.987654321": ("2.25.3",)}


def test_the_running_stage_and_its_note_are_shown() -> None:
    example = EXAMPLES["job_status.running"]
    status = contract.read_job_status(example, example["key"])
    assert (status.stage, status.note, status.eta) == ("stage1", "view 12 of 40", 140.0)


def test_a_waiting_job_tells_its_place_and_an_older_engine_does_not() -> None:
    for name, position in (
        ("job_status.waiting", 3),
        ("job_status.queued", None),
        ("job_status.running", None),
    ):
        status = contract.read_job_status(EXAMPLES[name], EXAMPLES[name]["key"])
        assert status.position == position


def test_what_the_engine_says_of_queue_and_workers_reaches_the_page() -> None:
    info = EXAMPLES["engine_info.paused"]
    shown = engine_shown(EngineSeen("http://engine", info, {}))
    assert {name: shown[name] for name in ("paused_since", "workers")} == {
        "paused_since": info["paused_since"],
        "workers": info["workers"],
    }
    assert "paused_since" not in engine_shown(EngineSeen("http://engine", EXAMPLES["engine_info.idle"], {}))


def test_the_plugin_asks_for_a_priority_as_the_contract_says() -> None:
    assert EXAMPLES["priority_request.stat"] == {"priority": "stat"}
    for priority in checks.PRIORITIES:
        assert valid("priority_request", {"priority": priority})


def test_the_example_error_is_understood() -> None:
    assert contract.read_error(EXAMPLES["error.wrong-secret"]).code == "unauthorized"


def test_a_message_of_any_length_keeps_the_state_small() -> None:
    long = {"code": "internal", "message": "x" * 100_000, "retryable": False}
    message = contract.read_failure(long).message
    assert len(message) == contract.LONGEST_MESSAGE
    assert message.endswith("x...")
    assert contract.read_failure({**long, "message": "y" * 1000}).message == "y" * 1000


@pytest.mark.parametrize("name", STATUSES)
def test_a_status_without_something_it_needs_is_refused(name: str) -> None:
    example = EXAMPLES[name]
    read_by_plugin = {"key", "state", "stages", "progress", "failure", "result"} & example.keys()
    for left_out in read_by_plugin:
        damaged = {field: value for field, value in example.items() if field != left_out}
        assert not valid("job_status", damaged)
        with pytest.raises(contract.ContractError, match="contract version 1"):
            contract.read_job_status(damaged, example["key"])


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["key", "state", "stages", "progress", "result"]), inner)
    ),
)


@given(
    message=junk,
    name=st.sampled_from(STATUSES),
    field=st.sampled_from(
        ["key", "state", "stages", "progress", "eta_seconds", "waiting", "failure", "result"]
    ),
)
def test_a_broken_answer_is_an_error_of_the_contract_and_nothing_else(
    message: Any, name: str, field: str
) -> None:
    for answer in (message, {**EXAMPLES[name], field: message}):
        try:
            contract.read_job_status(answer, EXAMPLES[name]["key"])
        except contract.ContractError:
            continue

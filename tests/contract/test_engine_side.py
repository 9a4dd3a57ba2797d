"""The engine reads and writes what the contract's examples show."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from nullsplat.service.contract.messages import STAGES, STATES, fault, job_key, schema
from nullsplat.service.processing.protocol import Parameters
from nullsplat.service.queue.jobs import Job, waiting_stages
from nullsplat.service.queue.priorities import Place

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.json"))
FIRST_RUN_KEY = "b6a730502cd122115b7c40e38db044fd"


def example(name: str) -> Any:
    return json.loads((Path(__file__).parent / "examples" / f"{name}.json").read_text())


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_each_example_is_what_its_name_says(path: Path) -> None:
    assert fault(path.name.split(".")[0], json.loads(path.read_text())) is None


def test_every_kind_of_message_has_an_example() -> None:
    kinds = {path.name.split(".")[0] for path in EXAMPLES}
    assert kinds == {
        "engine_info",
        "error",
        "health",
        "job_list",
        "job_request",
        "job_status",
        "priority_request",
    }


def test_stages_and_states_are_those_of_the_schema() -> None:
    definitions = schema()["$defs"]
    assert list(STAGES) == definitions["stage_name"]["enum"]
    assert list(STATES) == definitions["job_status"]["properties"]["state"]["enum"]


def test_the_key_is_the_one_that_both_sides_agreed_on() -> None:
    assert job_key(example("job_request.first-run")) == FIRST_RUN_KEY


def test_the_key_ignores_priority_and_the_order_of_members() -> None:
    request = example("job_request.first-run")
    urgent = dict(reversed({**request, "priority": "stat"}.items()))
    assert job_key(urgent) == FIRST_RUN_KEY


def test_asking_again_makes_another_key() -> None:
    assert job_key(example("job_request.again")) != FIRST_RUN_KEY


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fingerprint": "DOE^JANE"}, "job_request.fingerprint must satisfy pattern"),
        ({"attempt": 0}, "job_request.attempt must satisfy minimum 1"),
        ({"priority": "DOE^JANE"}, "job_request.priority must satisfy enum"),
        ({"patient_name": "DOE^JANE"}, "job_request may only have"),
        ({"study_instance_uid": None}, "job_request.study_instance_uid must satisfy type"),
    ],
)
def test_a_faulty_request_is_explained_without_repeating_it(change: dict[str, Any], words: str) -> None:
    problem = fault("job_request", {**example("job_request.first-run"), **change})
    assert problem is not None
    assert words in problem
    assert "DOE" not in problem


def test_a_missing_member_is_named() -> None:
    request = example("job_request.first-run")
    del request["attempt"]
    assert fault("job_request", request) == "job_request must have attempt"


@pytest.mark.parametrize("message", [None, [], "text", 3])
def test_what_is_no_object_is_a_fault(message: object) -> None:
    assert fault("job_request", message) is not None


def test_parameters_take_over_what_the_request_says_and_defaults_for_the_rest() -> None:
    request = example("job_request.again")
    assert Parameters.of(request) == Parameters(
        scale=(4.0, 1.0, 1.0), preset="preview", attempt=2, seed=0, samples=1
    )
    del request["parameters"]["seed"], request["parameters"]["samples"]
    assert Parameters.of(request) == Parameters(scale=(4.0, 1.0, 1.0), preset="preview", attempt=2)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("stage_state", ["waiting", "running", "done", "failed"])
def test_every_status_the_engine_can_write_fits_the_schema(state: str, stage_state: str) -> None:
    moment = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
    stages = waiting_stages()
    stages[1].update(state=stage_state, progress=0.5, note="view 3", seconds=1.5, peak_memory_mib=10.0)
    job = Job(
        key=FIRST_RUN_KEY,
        state=state,
        request=example("job_request.first-run"),
        stages=stages,
        progress=0.1,
        eta_seconds=None,
        storing=False,
        failure={"code": "archive", "message": "away", "retryable": True} if state == "failed" else None,
        result=example("job_status.succeeded")["result"] if state == "succeeded" else None,
        created_at=moment,
        updated_at=moment.replace(tzinfo=None),  # as SQLite gives it back
    )
    status = job.status(Place(1, "stat"))
    assert fault("job_status", status) is None
    assert ("waiting" in status) == (state == "queued")
    assert status["created_at"] == status["updated_at"] == "2026-11-22T13:00:00.000Z"

"""The API says what the contract says, in every case."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.engine import SECRET, Engine

from nullsplat.service.contract.messages import fault, job_key

Request = Callable[..., dict[str, Any]]


def refusal(response: httpx.Response, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert fault("error", response.json()) is None
    assert response.json()["error"]["code"] == code
    message: str = response.json()["error"]["message"]
    return message


def test_a_new_job_is_queued_and_answers_201_then_200(engine: Engine, request_for: Request) -> None:
    request = request_for()
    path = f"/v1/jobs/{job_key(request)}"
    first = engine.client.put(path, json=request)
    again = engine.client.put(path, json=request)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == engine.client.get(path).json()
    assert fault("job_status", first.json()) is None
    assert first.json()["state"] == "queued"


def test_the_same_job_put_at_the_same_moment_is_one_job(engine: Engine, request_for: Request) -> None:
    request = request_for()
    path = f"/v1/jobs/{job_key(request)}"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: engine.client.put(path, json=request).status_code, range(8)))
    assert sorted(answers) == [200] * 7 + [201]


def test_another_priority_is_the_same_job(engine: Engine, request_for: Request) -> None:
    key = engine.put(request_for(priority="night"))
    assert engine.put(request_for(priority="stat")) == key
    assert engine.status(key)["request"]["priority"] == "night"


def test_a_cancelled_job_stays_cancelled_when_put_again(engine: Engine, request_for: Request) -> None:
    key = engine.put(request_for())
    assert engine.client.delete(f"/v1/jobs/{key}").json()["state"] == "cancelled"
    assert engine.put(request_for()) == key
    assert engine.status(key)["state"] == "cancelled"
    assert fault("job_status", engine.status(key)) is None


def test_jobs_are_listed_newest_first_and_by_state(engine: Engine, request_for: Request) -> None:
    keys = [engine.put(request_for(attempt=attempt)) for attempt in (1, 2, 3)]
    engine.client.delete(f"/v1/jobs/{keys[1]}")
    everything = engine.client.get("/v1/jobs").json()
    assert fault("job_list", everything) is None
    assert [job["key"] for job in everything["jobs"]] == keys[::-1]
    queued = engine.client.get("/v1/jobs", params={"state": "queued"}).json()["jobs"]
    assert [job["key"] for job in queued] == [keys[2], keys[0]]
    assert len(engine.client.get("/v1/jobs", params={"limit": 1}).json()["jobs"]) == 1


def test_the_engine_introduces_itself_and_counts_its_queue(engine: Engine, request_for: Request) -> None:
    engine.put(request_for())
    info = engine.client.get("/v1/engine").json()
    assert fault("engine_info", info) is None
    assert info["queue"] == {"queued": 1, "running": 0}


def test_nothing_is_told_without_the_secret(engine: Engine) -> None:
    for shown in (None, "", "Bearer", "Bearer wrong", f"Basic {SECRET}", SECRET, f"Bearer {SECRET}x"):
        for path in ("/v1/engine", "/v1/jobs", "/v1/nothing", "/"):
            headers = {} if shown is None else {"Authorization": shown}
            response = httpx.get(f"{engine.client.base_url}{path}", headers=headers, trust_env=False)
            assert "NULLSPLAT_SECRET" in refusal(response, 401, "unauthorized")
            assert response.headers["www-authenticate"] == "Bearer"


def test_a_secret_with_other_letters_is_refused_and_not_a_crash(engine: Engine) -> None:
    headers = {b"Authorization": "Bearer schlüssel".encode("latin-1")}
    refusal(
        httpx.get(f"{engine.client.base_url}/v1/engine", headers=headers, trust_env=False),
        401,
        "unauthorized",
    )


def test_health_needs_no_secret(engine: Engine) -> None:
    response = httpx.get(f"{engine.client.base_url}/healthz", trust_env=False)
    assert response.status_code == 200
    assert fault("health", response.json()) is None


def test_a_key_that_is_not_the_requests_is_refused(engine: Engine, request_for: Request) -> None:
    message = refusal(engine.client.put(f"/v1/jobs/{'0' * 32}", json=request_for()), 422, "wrong-key")
    assert job_key(request_for()) in message


def test_unknown_jobs_paths_and_methods_are_refused_in_the_contracts_words(engine: Engine) -> None:
    refusal(engine.client.get(f"/v1/jobs/{'0' * 32}"), 404, "not-found")
    refusal(engine.client.delete(f"/v1/jobs/{'0' * 32}"), 404, "not-found")
    refusal(engine.client.get("/v1/nothing"), 404, "not-found")
    response = engine.client.post("/v1/engine")
    refusal(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "GET"


def test_a_body_that_is_no_request_is_refused(engine: Engine) -> None:
    for body in (b"", b"{", b"\xff\xfe", b"[" * 60_000, b'{"attempt": NaN}', b"null"):
        refusal(engine.client.put(f"/v1/jobs/{'0' * 32}", content=body), 422, "bad-request")


def test_a_faulty_request_is_refused_without_repeating_it(engine: Engine, request_for: Request) -> None:
    request = {**request_for(), "patient": "DOE^JANE"}
    message = refusal(engine.client.put(f"/v1/jobs/{job_key(request)}", json=request), 422, "bad-request")
    assert "DOE" not in message


def test_a_large_body_is_refused_whether_announced_or_not(engine: Engine) -> None:
    path, body = f"/v1/jobs/{'0' * 32}", b" " * 100_000
    refusal(engine.client.put(path, content=body), 413, "too-large")
    refusal(engine.client.put(path, content=iter([body])), 413, "too-large")


def test_a_faulty_query_is_refused(engine: Engine) -> None:
    assert "state" in refusal(engine.client.get("/v1/jobs", params={"state": "lost"}), 422, "bad-request")
    assert "limit" in refusal(engine.client.get("/v1/jobs", params={"limit": 0}), 422, "bad-request")


def test_readiness_names_what_is_missing(engine: Engine, archive: ArchiveDouble) -> None:
    archive.stop()
    response = engine.client.get("/readyz")
    assert response.status_code == 503
    health = response.json()
    assert fault("health", health) is None
    assert health["ok"] is False
    assert health["checks"]["archive"] == f"{archive.url} cannot be reached: connection refused"
    assert "nullsplat worker" in health["checks"]["worker"]
    assert {health["checks"][name] for name in ("weights", "spool", "queue")} == {"ok"}


def test_readiness_tells_wrong_archive_credentials(engine: Engine, archive: ArchiveDouble) -> None:
    archive.password = "changed"
    assert "NULLSPLAT_ARCHIVE_PASSWORD" in engine.client.get("/readyz").json()["checks"]["archive"]


def test_the_answer_to_a_bug_is_an_error_of_the_contract(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("DOE^JANE")

    monkeypatch.setattr("nullsplat.service.queue.jobs.JobStore.newest", broken)
    response = engine.client.get("/v1/jobs")
    assert "DOE" not in refusal(response, 500, "internal")


def test_no_pages_are_served_that_load_scripts_from_elsewhere(engine: Engine) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert engine.client.get(path).status_code == 404


def test_requests_survive_the_round_trip_unchanged(engine: Engine, request_for: Request) -> None:
    request = request_for()
    request["parameters"]["scale"] = [2.5, 1, 1]
    del request["priority"]
    assert engine.status(engine.put(request))["request"] == json.loads(json.dumps(request))

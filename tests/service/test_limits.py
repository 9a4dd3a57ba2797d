"""One client cannot take the API away from the others, nor bring it down with what it sends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.support.service.fast_processing import FastProcessing

from nullsplat.service.api.limits import ADDRESSES, TokenBuckets
from nullsplat.service.api.server import application
from nullsplat.service.contract.messages import fault, job_key
from nullsplat.service.settings import Settings

AUTHORISED = {"Authorization": "Bearer a-secret-for-tests-only"}
REQUEST = {
    "study_instance_uid": "2.25.1",
    "series_instance_uid": "2.25.2",
    "fingerprint": "a" * 64,
    "attempt": 1,
    "parameters": {"preset": "preview", "scale": [2, 1, 1], "seed": 0, "samples": 1},
    "priority": "normal",
}


# Buckets


def test_a_burst_is_allowed_and_then_the_rate() -> None:
    now = [0.0]
    buckets = TokenBuckets(2.0, 3, lambda: now[0])
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    now[0] = 0.5
    assert [buckets.take("a"), buckets.take("a")] == [0, 0.5]
    now[0] = 1000.0
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_addresses_do_not_share_a_bucket() -> None:
    buckets = TokenBuckets(1.0, 1, lambda: 0.0)
    assert [buckets.take("a"), buckets.take("b"), buckets.take("a")] == [0, 0, 1]


def test_refused_requests_cost_nothing_more() -> None:
    now = [0.0]
    buckets = TokenBuckets(1.0, 1, lambda: now[0])
    for _ in range(100):
        buckets.take("a")
    now[0] = 1.0
    assert buckets.take("a") == 0


def test_a_rate_of_0_is_no_limit() -> None:
    buckets = TokenBuckets(0.0, 1, lambda: 0.0)
    assert [buckets.take("a") for _ in range(5)] == [0] * 5


def test_only_so_many_addresses_are_remembered() -> None:
    buckets = TokenBuckets(1.0, 1, lambda: 0.0)
    for number in range(ADDRESSES + 1):
        buckets.take(str(number))
    assert len(buckets._buckets) == ADDRESSES
    assert buckets.take(str(ADDRESSES)) == 1
    assert buckets.take("0") == 0  # forgotten, so it starts full


# API


@pytest.fixture
def client(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[TestClient]:
    changed: Any = settings.model_copy(update=getattr(request, "param", {}))
    with (
        application(changed, FastProcessing(tmp_path / "control")) as app,
        TestClient(app, raise_server_exceptions=False, headers=AUTHORISED) as client,
    ):
        yield client


@pytest.mark.parametrize("client", [{"requests_per_second": 0.01, "request_burst": 2}], indirect=True)
def test_who_asks_too_often_is_told_when_to_come_back(client: TestClient) -> None:
    assert [client.get("/v1/jobs").status_code for _ in range(2)] == [200, 200]
    refused = client.get("/v1/jobs")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 100
    assert fault("error", refused.json()) is None
    assert refused.json()["error"]["code"] == "too-many-requests"
    assert refused.json()["error"]["retryable"] is True
    assert "NULLSPLAT_REQUESTS_PER_SECOND" in refused.json()["error"]["message"]
    assert client.get("/healthz").status_code == 200  # probes are not counted


@pytest.mark.parametrize("client", [{"requests_per_second": 0.01, "request_burst": 1}], indirect=True)
def test_guessing_the_secret_is_counted_as_well(client: TestClient) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    assert [client.get("/v1/jobs", headers=wrong).status_code for _ in range(2)] == [401, 429]


@pytest.mark.parametrize("client", [{"request_bytes": 1024}], indirect=True)
def test_the_largest_request_is_a_setting(client: TestClient) -> None:
    body = json.dumps(REQUEST).ljust(1024).encode()
    path = f"/v1/jobs/{job_key(REQUEST)}"
    assert client.put(path, content=body).status_code == 201
    for content in (body + b" ", iter([body, b" "])):
        refused = client.put(path, content=content)
        assert refused.status_code == 413
        assert refused.json()["error"]["code"] == "too-large"
        assert fault("error", refused.json()) is None
    assert client.request("DELETE", path, content=body + b" ").status_code == 413


@pytest.mark.parametrize("depth", [10, 300, 900, 940, 960, 980, 1000, 20_000])
def test_nesting_of_any_depth_is_refused_and_no_crash(client: TestClient, depth: int) -> None:
    for body in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
        response = client.put(f"/v1/jobs/{'0' * 32}", content=body.encode())
        assert response.status_code in (413, 422), (depth, response.text)
        assert fault("error", response.json()) is None


@pytest.mark.parametrize("name", ["study_instance_uid", "series_instance_uid", "fingerprint"])
def test_a_line_break_does_not_hide_behind_a_value(client: TestClient, name: str) -> None:
    request = {**REQUEST, name: f"{REQUEST[name]}\n"}
    refused = client.put(f"/v1/jobs/{job_key(request)}", json=request)
    assert refused.status_code == 422
    assert name in refused.json()["error"]["message"]


# Anything

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**63, max_value=10**400),
    st.floats(),
    st.text(st.characters(codec=None), max_size=20),
    st.sampled_from([1e300, "2.25.1\n", "\x00", "\ud800", "stat"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
places = st.sampled_from([*REQUEST, "parameters.preset", "parameters.scale", "parameters.seed", "new"])


@st.composite
def almost_requests(draw: st.DrawFn) -> Any:
    """A good request with one or two of its values replaced, or removed."""
    made: dict[str, Any] = json.loads(json.dumps(REQUEST))
    for place in draw(st.lists(places, min_size=1, max_size=2)):
        *outer, name = place.split(".")
        target = made.get(outer[0], {}) if outer else made
        if not isinstance(target, dict):
            continue
        if draw(st.booleans()):
            target[name] = draw(values)
        else:
            target.pop(name, None)
    return made


bodies = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.one_of(values, almost_requests()).map(lambda value: json.dumps(value).encode()),
    almost_requests().map(
        lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    ),
)
keys = st.one_of(
    st.just("0" * 32), st.text("0123456789abcdef", min_size=32, max_size=32), st.text(max_size=40)
)
fuzzing = effort(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_in_the_contracts_words(response: Any) -> None:
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert fault("error", response.json()) is None


@fuzzing
@given(body=bodies, right_key=st.booleans())
def test_no_body_is_a_crash(client: TestClient, body: bytes, right_key: bool) -> None:
    key = "0" * 32
    if right_key:
        try:
            key = job_key(json.loads(body))
        except (ValueError, AttributeError, TypeError):
            key = "0" * 32
    response = client.put(f"/v1/jobs/{key}", content=body)
    assert_in_the_contracts_words(response)
    if response.status_code < 400:
        assert fault("job_status", response.json()) is None
        assert_in_the_contracts_words(client.get("/v1/jobs"))


@fuzzing
@given(
    method=st.sampled_from(["GET", "PUT", "DELETE", "POST", "PATCH", "HEAD", "OPTIONS"]),
    key=keys,
    state=st.text(max_size=10),
    limit=st.one_of(st.integers(), st.text(max_size=10)),
)
def test_no_path_or_query_is_a_crash(
    client: TestClient, method: str, key: str, state: str, limit: int | str
) -> None:
    path = "/v1/jobs/" + "".join(f"%{byte:02X}" for byte in key.encode("utf-8", "surrogatepass"))
    response = client.request(method, path, content=b"{}")
    if method != "HEAD":
        assert_in_the_contracts_words(response)
    query = "&".join(
        f"{name}=" + "".join(f"%{byte:02X}" for byte in str(value).encode("utf-8", "surrogatepass"))
        for name, value in (("state", state), ("limit", limit))
    )
    assert_in_the_contracts_words(client.get(f"/v1/jobs?{query}"))

"""The HTTP API: the contract, route by route."""

import hmac
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from nullsplat import __version__
from nullsplat.service.audit import AuditLog, What
from nullsplat.service.contract.messages import fault, job_key
from nullsplat.service.health import Readiness
from nullsplat.service.jobs import Job
from nullsplat.service.limits import Limits, client_address, limit_requests, too_large
from nullsplat.service.metrics import CONTENT_TYPE, Metrics
from nullsplat.service.processing import Processing
from nullsplat.service.queueing import JobQueue
from nullsplat.service.refusals import Refusal, answer_errors, refusal_response

OPEN_PATHS = ("/healthz", "/readyz")
METRICS_PATH = "/metrics"

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True)
class Access:
    """Who may ask what.

    Attributes:
        secret: what clients must show as a bearer token.
        metrics_public: whether /metrics is answered without it.
        limits: how much one client may ask.
    """

    secret: str
    metrics_public: bool
    limits: Limits


@dataclass(frozen=True)
class Parts:
    """What answers.

    Attributes:
        queue: takes the jobs.
        readiness: the checks behind /readyz.
        processing: asked for its presets and its model.
        metrics: the figures behind /metrics.
        audit: hears of what clients ask for.
    """

    queue: JobQueue
    readiness: Readiness
    processing: Processing
    metrics: Metrics
    audit: AuditLog


def create_api(access: Access, parts: Parts) -> FastAPI:
    """The application."""
    # No interactive documentation: it would load scripts from elsewhere. The schema is the documentation.
    app = FastAPI(
        title="NullSplat engine", version=__version__, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.state.request_bytes = access.limits.request_bytes
    answer_errors(app)
    _require_secret(app, access.secret, (*OPEN_PATHS, *[METRICS_PATH] * access.metrics_public))
    limit_requests(app, access.limits, OPEN_PATHS)  # added last, asked first
    _add_job_routes(app, parts.queue, parts.audit)
    _add_information_routes(app, parts)
    _add_watching_routes(app, parts)
    return app


def _require_secret(app: FastAPI, secret: str, open_paths: tuple[str, ...]) -> None:
    wanted = f"Bearer {secret}".encode()

    @app.middleware("http")
    async def check(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        shown = request.headers.get("authorization", "").encode()
        if request.url.path in open_paths or hmac.compare_digest(shown, wanted):
            return await proceed(request)
        message = "the Authorization header must carry the engine's shared secret; set the same NULLSPLAT_SECRET on both sides"
        return refusal_response(401, "unauthorized", message)


def _add_job_routes(app: FastAPI, queue: JobQueue, audit: AuditLog) -> None:
    @app.put("/v1/jobs/{key}")
    async def put_job(
        key: str, message: Annotated[Any, Depends(_json_body)], request: Request
    ) -> JSONResponse:
        _refuse_faulty(key, message)
        job, created = await run_in_threadpool(submit, key, message, client_address(request))
        return JSONResponse(job.status(), 201 if created else 200)

    def submit(key: str, message: dict[str, Any], address: str) -> tuple[Job, bool]:
        job, created = queue.submit(key, message)
        if created:
            audit.note(What.REQUESTED, job, f"client {address}")
        return job, created

    @app.get("/v1/jobs/{key}")
    def get_job(key: str) -> JSONResponse:
        return JSONResponse(_existing(key, queue.store.get(_plausible(key))).status())

    @app.delete("/v1/jobs/{key}")
    def cancel_job(key: str, request: Request) -> JSONResponse:
        found, done = queue.cancel(_plausible(key))
        job = _existing(key, found)
        if done:
            audit.note(What.CANCELLED, job, f"client {client_address(request)}")
        return JSONResponse(job.status())

    @app.get("/v1/jobs")
    def list_jobs(
        state: State | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 200
    ) -> JSONResponse:
        return JSONResponse({"jobs": [job.status() for job in queue.store.newest(state, limit)]})


def _add_information_routes(app: FastAPI, parts: Parts) -> None:
    @app.get("/v1/engine")
    def engine_info() -> JSONResponse:
        name, sha256 = parts.processing.model()
        return JSONResponse(
            {
                "version": __version__,
                "contract": 1,
                "model": {"name": name, "sha256": sha256},
                "presets": list(parts.processing.presets()),
                "queue": {state: parts.queue.store.count(state) for state in ("queued", "running")},
            }
        )


def _add_watching_routes(app: FastAPI, parts: Parts) -> None:
    @app.get(METRICS_PATH)
    def metrics() -> Response:
        return Response(parts.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    @app.get("/healthz")
    def health() -> JSONResponse:
        return JSONResponse({"ok": True})

    @app.get("/readyz")
    def ready() -> JSONResponse:
        checks = parts.readiness.checks()
        ok = all(outcome == "ok" for outcome in checks.values())
        return JSONResponse({"ok": ok, "checks": checks}, 200 if ok else 503)


async def _json_body(request: Request) -> Any:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > (limit := request.app.state.request_bytes):
            raise too_large(limit)
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Refusal(
            422, "bad-request", "the body must be a job_request as JSON in UTF-8; it is not JSON"
        ) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is Python's, not JSON's")


def _refuse_faulty(key: str, message: Any) -> None:
    try:
        problem = fault("job_request", message)
    except RecursionError:  # shallow enough to be read, too deep to be looked at
        problem = "the body is nested too deeply to be a job_request"
    if problem:
        raise Refusal(422, "bad-request", problem)
    if key != job_key(message):
        raise Refusal(
            422,
            "wrong-key",
            f"the key of this request is {job_key(message)}: the first 32 hexadecimal digits of SHA-256 over its "
            "canonical JSON without priority",
        )


def _plausible(key: str) -> str:
    """The key, if there can be a job of that name: not every text may be asked of every database."""
    if not re.fullmatch(r"[0-9a-f]{32}", key):
        raise Refusal(404, "not-found", "there is no such job: a key is 32 hexadecimal digits")
    return key


def _existing(key: str, job: Job | None) -> Job:
    if job is None:
        raise Refusal(404, "not-found", f"there is no job {key[:32]}")
    return job

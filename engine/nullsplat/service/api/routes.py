"""The HTTP API: the contract, route by route."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from nullsplat import __version__
from nullsplat.service.api.control_routes import add_control_routes, add_pause_routes
from nullsplat.service.api.engine_info import EngineInfo
from nullsplat.service.api.errors import Refusal, answer_errors, refusal_response
from nullsplat.service.api.limits import Limits, RequestRate, TokenBuckets, client_address, limit_requests
from nullsplat.service.api.metrics import CONTENT_TYPE, Metrics
from nullsplat.service.api.readiness import Readiness
from nullsplat.service.api.requests import job_or_404, json_body, validate, validated_key
from nullsplat.service.api.ups.routes import add_worklist_routes, reads_worklist
from nullsplat.service.api.ups.subscribing import add_subscription_routes
from nullsplat.service.audit.entry import Event
from nullsplat.service.audit.log import AuditLog
from nullsplat.service.contract.messages import job_key
from nullsplat.service.queue.jobs import Job
from nullsplat.service.queue.queue import JobQueue

OPEN_PATHS = ("/healthz", "/readyz")
METRICS_PATH = "/metrics"
DENIAL_SECONDS = 60.0
"""Between two audit lines on a client that does not know the secret; more would let it fill the disk."""

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True)
class Access:
    """Access to the API.

    Attributes:
        secret: bearer token that clients must send.
        viewer_secret: bearer token of clients that may read the worklist and nothing else; empty where there are none.
        metrics_public: serve /metrics without it.
        limits: for each client.
    """

    secret: str
    viewer_secret: str
    metrics_public: bool
    limits: Limits


@dataclass(frozen=True)
class Parts:
    """What the routes call.

    Attributes:
        queue: accepts the jobs.
        readiness: the checks behind /readyz.
        info: the answer of /v1/engine.
        metrics: the metrics behind /metrics.
        audit: logs what clients request.
    """

    queue: JobQueue
    readiness: Readiness
    info: EngineInfo
    metrics: Metrics
    audit: AuditLog


def create_api(access: Access, parts: Parts) -> FastAPI:
    """The application."""
    # No interactive documentation: it would load scripts from elsewhere. The schema is the documentation.
    app = FastAPI(
        title="NullSplat engine", version=__version__, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.state.limits = access.limits
    answer_errors(app)
    door = _Door(access, parts.audit)
    rate = RequestRate(access.limits, OPEN_PATHS)
    _require_secret(app, door)
    limit_requests(app, access.limits, rate)  # added last, asked first
    _add_job_routes(app, parts.queue, parts.audit)
    add_control_routes(app, parts.queue, parts.audit)
    add_pause_routes(app, parts.queue, parts.info, parts.audit)
    _add_watching_routes(app, parts)
    worklist = add_worklist_routes(app, parts.queue, parts.audit)

    async def admission(connection: HTTPConnection) -> Response | None:  # middleware does not see WebSockets
        return rate.refusal(connection) or await door.refusal(connection)

    add_subscription_routes(app, worklist, admission, access.limits.channels)
    return app


class _Door:
    """Who may come in, with which secret."""

    def __init__(self, access: Access, audit: AuditLog) -> None:
        self._open_paths = (*OPEN_PATHS, *[METRICS_PATH] * access.metrics_public)
        self._wanted = f"Bearer {access.secret}".encode()
        self._viewer = f"Bearer {access.viewer_secret}".encode() if access.viewer_secret else b""
        self._audit = audit
        self._lines = TokenBuckets(1 / DENIAL_SECONDS, 1)

    async def refusal(self, request: HTTPConnection) -> Response | None:
        """The answer to a request that may not come in; None where it may."""
        shown = request.headers.get("authorization", "").encode()
        if request.url.path in self._open_paths or hmac.compare_digest(shown, self._wanted):
            return None
        if self._viewer and hmac.compare_digest(shown, self._viewer):
            return None if reads_worklist(request) else _viewer_refused()
        if not self._lines.take(address := client_address(request)):
            await run_in_threadpool(self._audit.switched, Event.DENIED, f"client {address}")
        message = "the Authorization header must carry the engine's shared secret; set the same NULLSPLAT_SECRET on both sides"
        return refusal_response(401, "unauthorized", message)


def _require_secret(app: FastAPI, door: _Door) -> None:
    @app.middleware("http")
    async def check(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        refusal = await door.refusal(request)
        return await proceed(request) if refusal is None else refusal


def _viewer_refused() -> Response:
    message = (
        "with NULLSPLAT_VIEWER_SECRET one may search and retrieve workitems and open a channel for event reports; whatever "
        "else needs NULLSPLAT_SECRET"
    )
    return refusal_response(403, "forbidden", message)


def _add_job_routes(app: FastAPI, queue: JobQueue, audit: AuditLog) -> None:
    @app.put("/v1/jobs/{key}")
    async def put_job(
        key: str, message: Annotated[Any, Depends(json_body)], request: Request
    ) -> JSONResponse:
        validate("job_request", message)
        _refuse_wrong_key(key, message)
        job, created = await run_in_threadpool(submit, key, message, client_address(request))
        place = await run_in_threadpool(queue.priorities.place, key)
        return JSONResponse(job.status(place), 201 if created else 200)

    def submit(key: str, message: dict[str, Any], address: str) -> tuple[Job, bool]:
        job, created = queue.submit(key, message)
        if created:
            audit.note(Event.REQUESTED, job, f"client {address}")
        return job, created

    @app.get("/v1/jobs/{key}")
    def get_job(key: str) -> JSONResponse:
        return JSONResponse(
            job_or_404(key, queue.store.get(validated_key(key))).status(queue.priorities.place(key))
        )

    @app.delete("/v1/jobs/{key}")
    def cancel_job(key: str, request: Request) -> JSONResponse:
        found, done = queue.cancel(validated_key(key))
        job = job_or_404(key, found)
        if done:
            audit.note(Event.CANCELLED, job, f"client {client_address(request)}")
        return JSONResponse(job.status())

    @app.get("/v1/jobs")
    def list_jobs(
        state: State | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 50
    ) -> JSONResponse:
        newest = queue.store.newest(state, limit)
        places = queue.priorities.places() if any(job.state == "queued" for job in newest) else {}
        return JSONResponse({"jobs": [job.status(places.get(job.key)) for job in newest]})


def _add_watching_routes(app: FastAPI, parts: Parts) -> None:
    @app.get("/v1/engine")
    def engine_info() -> JSONResponse:
        return JSONResponse(parts.info.message())

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


def _refuse_wrong_key(key: str, message: Any) -> None:
    if key != job_key(message):
        raise Refusal(
            422,
            "wrong-key",
            f"the key of this request is {job_key(message)}: the first 32 hexadecimal digits of SHA-256 over its "
            "canonical JSON without priority",
        )

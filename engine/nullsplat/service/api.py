"""The HTTP API: the contract, route by route."""

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from nullsplat import __version__
from nullsplat.service.contract.messages import fault, job_key
from nullsplat.service.health import Readiness
from nullsplat.service.jobs import Job
from nullsplat.service.processing import Processing
from nullsplat.service.queueing import JobQueue
from nullsplat.service.refusals import Refusal, answer_errors, refusal_response

LARGEST_REQUEST = 64 * 1024
"""Bytes. A job_request has less than one thousand."""
OPEN_PATHS = ("/healthz", "/readyz")

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]


def create_api(secret: str, queue: JobQueue, readiness: Readiness, processing: Processing) -> FastAPI:
    """The application.

    Args:
        secret: what clients must show as a bearer token.
        queue: takes the jobs.
        readiness: the checks behind /readyz.
        processing: asked for its presets and its model.
    """
    # No interactive documentation: it would load scripts from elsewhere. The schema is the documentation.
    app = FastAPI(
        title="NullSplat engine", version=__version__, docs_url=None, redoc_url=None, openapi_url=None
    )
    answer_errors(app)
    _require_secret(app, secret)
    _add_job_routes(app, queue)
    _add_information_routes(app, queue, readiness, processing)
    return app


def _require_secret(app: FastAPI, secret: str) -> None:
    wanted = f"Bearer {secret}".encode()

    @app.middleware("http")
    async def check(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        shown = request.headers.get("authorization", "").encode()
        if request.url.path in OPEN_PATHS or hmac.compare_digest(shown, wanted):
            return await proceed(request)
        message = "the Authorization header must carry the engine's shared secret; set the same NULLSPLAT_SECRET on both sides"
        return refusal_response(401, "unauthorized", message)


def _add_job_routes(app: FastAPI, queue: JobQueue) -> None:
    @app.put("/v1/jobs/{key}")
    async def put_job(key: str, message: Annotated[Any, Depends(_json_body)]) -> JSONResponse:
        if problem := fault("job_request", message):
            raise Refusal(422, "bad-request", problem)
        if key != job_key(message):
            raise Refusal(
                422,
                "wrong-key",
                f"the key of this request is {job_key(message)}: the first 32 hexadecimal digits of SHA-256 over its "
                "canonical JSON without priority",
            )
        job, created = await run_in_threadpool(queue.submit, key, message)
        return JSONResponse(job.status(), 201 if created else 200)

    @app.get("/v1/jobs/{key}")
    def get_job(key: str) -> JSONResponse:
        return JSONResponse(_existing(key, queue.store.get(key)).status())

    @app.delete("/v1/jobs/{key}")
    def cancel_job(key: str) -> JSONResponse:
        return JSONResponse(_existing(key, queue.cancel(key)).status())

    @app.get("/v1/jobs")
    def list_jobs(
        state: State | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 200
    ) -> JSONResponse:
        return JSONResponse({"jobs": [job.status() for job in queue.store.newest(state, limit)]})


def _add_information_routes(
    app: FastAPI, queue: JobQueue, readiness: Readiness, processing: Processing
) -> None:
    @app.get("/v1/engine")
    def engine_info() -> JSONResponse:
        name, sha256 = processing.model()
        return JSONResponse(
            {
                "version": __version__,
                "contract": 1,
                "model": {"name": name, "sha256": sha256},
                "presets": list(processing.presets()),
                "queue": {state: queue.store.count(state) for state in ("queued", "running")},
            }
        )

    @app.get("/healthz")
    def health() -> JSONResponse:
        return JSONResponse({"ok": True})

    @app.get("/readyz")
    def ready() -> JSONResponse:
        checks = readiness.checks()
        ok = all(outcome == "ok" for outcome in checks.values())
        return JSONResponse({"ok": ok, "checks": checks}, 200 if ok else 503)


async def _json_body(request: Request) -> Any:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_REQUEST:
            raise Refusal(
                413, "too-large", f"a request may have {LARGEST_REQUEST} bytes at most, this one has more"
            )
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Refusal(
            422, "bad-request", "the body must be a job_request as JSON in UTF-8; it is not JSON"
        ) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is Python's, not JSON's")


def _existing(key: str, job: Job | None) -> Job:
    if job is None:
        raise Refusal(404, "not-found", f"there is no job {key[:32]}")
    return job

"""Routes that control the queue: pause it, move a job, release one that failed."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from nullsplat.core.errors import NotNow
from nullsplat.service.api.engine_info import EngineInfo
from nullsplat.service.api.errors import Refusal
from nullsplat.service.api.limits import client_address
from nullsplat.service.api.requests import job_or_404, json_body, validate, validated_key
from nullsplat.service.audit.entry import Event
from nullsplat.service.audit.log import AuditLog
from nullsplat.service.queue.jobs import Job
from nullsplat.service.queue.queue import JobQueue


def add_control_routes(app: FastAPI, queue: JobQueue, audit: AuditLog) -> None:
    """Add the routes that change one job."""

    @app.post("/v1/jobs/{key}/priority")
    async def move_job(
        key: str, message: Annotated[Any, Depends(json_body)], request: Request
    ) -> JSONResponse:
        validate("priority_request", message)
        return await run_in_threadpool(move, validated_key(key), message["priority"], client_address(request))

    def move(key: str, priority: str, address: str) -> JSONResponse:
        job = job_or_404(key, _unless_not_now(lambda: queue.move(key, priority)))
        audit.moved(job, f"client {address}")
        return JSONResponse(job.status(queue.priorities.place(key)))

    @app.post("/v1/jobs/{key}/release")
    def release_job(key: str, request: Request) -> JSONResponse:
        job = job_or_404(key, _unless_not_now(lambda: queue.release(validated_key(key))))
        audit.note(Event.RELEASED, job, f"client {client_address(request)}")
        return JSONResponse(job.status(queue.priorities.place(key)))


def add_pause_routes(app: FastAPI, queue: JobQueue, info: EngineInfo, audit: AuditLog) -> None:
    """Add the routes that pause and resume the queue."""

    @app.post("/v1/queue/pause")
    def pause(request: Request) -> JSONResponse:
        if queue.pausing.pause():
            audit.switched(Event.PAUSED, f"client {client_address(request)}")
        return JSONResponse(info.message())

    @app.post("/v1/queue/resume")
    def resume(request: Request) -> JSONResponse:
        if queue.pausing.resume():
            audit.switched(Event.RESUMED, f"client {client_address(request)}")
        return JSONResponse(info.message())


def _unless_not_now(action: Callable[[], Job | None]) -> Job | None:
    try:
        return action()
    except NotNow as error:
        raise Refusal(409, error.code, str(error)) from error

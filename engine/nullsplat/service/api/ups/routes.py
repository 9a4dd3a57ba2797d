"""UPS-RS, transaction by transaction (PS3.18 chapter 11)."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from nullsplat.service.api.errors import Refusal
from nullsplat.service.api.limits import SUBSCRIBERS_PATH, WORKITEMS_PATH
from nullsplat.service.api.requests import json_body
from nullsplat.service.api.ups import answers
from nullsplat.service.api.ups.changes import Changes, not_found
from nullsplat.service.audit.log import AuditLog
from nullsplat.service.queue.queue import JobQueue
from nullsplat.service.worklist.matching import query_in
from nullsplat.service.worklist.worklist import Worklist

WORKITEM = f"{WORKITEMS_PATH}/{{uid}}"
UID_PARAMETERS = ("workitem", "AffectedSOPInstanceUID")
"""Of Create Workitem: the name that the standard gives the parameter now, and the one that it gave it before 2019."""


async def _message(request: Request) -> Any:
    answers.require_json(request)
    try:
        return await json_body(request)
    except Refusal as error:
        if error.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        raise answers.refused(request, 400, str(error), str(error)) from error


Message = Annotated[Any, Depends(_message)]
Acceptable = Depends(answers.require_acceptable)


def reads_worklist(request: HTTPConnection) -> bool:
    """Whether a request only searches or retrieves workitems, or opens a channel for event reports, which tell no more."""
    path, method = (
        request.url.path,
        request.scope.get("method", "GET"),
    )  # a WebSocket has no method and is a GET
    return method == "GET" and f"{path}/".startswith((f"{WORKITEMS_PATH}/", f"{SUBSCRIBERS_PATH}/"))


def add_worklist_routes(app: FastAPI, queue: JobQueue, audit: AuditLog) -> Worklist:
    """Add the worklist, without subscriptions."""
    worklist = Worklist(queue)
    _add_reading_routes(app, worklist)
    _add_changing_routes(app, Changes(worklist, audit))
    return worklist


def _add_reading_routes(app: FastAPI, worklist: Worklist) -> None:
    @app.get(WORKITEMS_PATH, dependencies=[Acceptable])
    def search(request: Request) -> Response:
        parameters = request.query_params
        with answers.refusing_in_words(request):
            found, more = worklist.search(query_in(parameters.multi_items()))
        phrases = [answers.MORE] * more + [answers.NOT_FUZZY] * (parameters.get("fuzzymatching") == "true")
        headers = answers.warning(request, *phrases)
        return (
            answers.data_sets(found, 206 if more else 200, headers) if found else Response(None, 204, headers)
        )

    @app.get(WORKITEM, dependencies=[Acceptable])
    def retrieve(uid: str) -> Response:
        found = worklist.workitem(uid)
        if found is None:
            raise not_found()
        return answers.data_sets([found])


def _add_changing_routes(app: FastAPI, changes: Changes) -> None:
    @app.post(WORKITEMS_PATH)
    async def create(request: Request, message: Message) -> Response:
        return await run_in_threadpool(changes.create, request, _uid_in(request), message)

    @app.post(WORKITEM)
    async def update(request: Request, uid: str, message: Message) -> Response:
        return await run_in_threadpool(changes.update, request, uid, message)

    @app.put(f"{WORKITEM}/state")
    async def change_state(request: Request, uid: str, message: Message) -> Response:
        return await run_in_threadpool(changes.change_state, request, uid, message)

    @app.post(f"{WORKITEM}/cancelrequest")
    async def cancel(request: Request, uid: str) -> Response:
        if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            await _message(request)  # reasons are for people and may name a patient: they are not kept
        return await run_in_threadpool(changes.cancel, request, uid)


def _uid_in(request: Request) -> str | None:
    """The UID that the request's URL asks for, as value of a parameter or, as in the standard's examples, alone."""
    for name, value in request.query_params.multi_items():
        if name in UID_PARAMETERS:
            return value
        if not value:
            return name
    return None

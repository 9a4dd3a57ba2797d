"""Subscribe, Unsubscribe, Suspend Global Subscription and Open Notification Connection (PS3.18, 11.10 to 11.12 and 8.10.4)."""

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response, WebSocket
from starlette.requests import HTTPConnection

from nullsplat.core.errors import InputError, NotNow, StorageError
from nullsplat.service.api.errors import Refusal, refusal_response
from nullsplat.service.api.limits import SUBSCRIBERS_PATH, WORKITEMS_PATH
from nullsplat.service.api.ups import answers
from nullsplat.service.api.ups.changes import not_found
from nullsplat.service.api.ups.channels import Channels
from nullsplat.service.queue.events import EVERYTHING
from nullsplat.service.worklist.subscriptions import (
    FILTERED,
    WELL_KNOWN,
    Subscriptions,
    checked_filter,
    checked_title,
)
from nullsplat.service.worklist.worklist import Worklist

Admission = Callable[[HTTPConnection], Awaitable[Response | None]]
"""The refusal of whoever may not open a channel; None for the others."""

SUBSCRIBER = f"{WORKITEMS_PATH}/{{uid}}/subscribers/{{subscriber}}"
CHANNEL = f"{SUBSCRIBERS_PATH}/{{subscriber}}"
LOCK = "deletionlock"
_BETWEEN_KEYS = re.compile(r",(?=[A-Za-z0-9.]+=)")


def _title(request: Request, subscriber: str) -> str:
    with answers.refusing_in_words(request):
        return checked_title(subscriber)


Title = Annotated[str, Depends(_title)]


def add_subscription_routes(
    app: FastAPI, worklist: Worklist, admission: Admission, most_channels: int
) -> None:
    """Add the transactions; at most so many channels are open at once."""
    subscriptions = Subscriptions(worklist)
    _add_transactions(app, worklist, subscriptions)
    _add_channel(app, Channels(worklist, subscriptions, most_channels), admission)


def _add_transactions(app: FastAPI, worklist: Worklist, subscriptions: Subscriptions) -> None:
    @app.post(SUBSCRIBER)
    def subscribe(request: Request, uid: str, title: Title) -> Response:
        lock = _lock_in(request)
        try:
            if uid == EVERYTHING:
                subscriptions.subscribe_to_all(title, lock=lock)
            elif uid == FILTERED:
                subscriptions.subscribe_to_some(title, _filter_in(request))
            else:
                subscriptions.subscribe(title, _key(worklist, uid), lock=lock)
        except NotNow as error:
            raise Refusal(403, error.code, str(error)) from error
        phrases = [answers.NOT_LOCKED] * (lock and uid == FILTERED)
        channel = request.url_for("channel", subscriber=title)
        return Response(None, 201, {"Content-Location": str(channel)} | answers.warning(request, *phrases))

    @app.delete(SUBSCRIBER)
    def unsubscribe(uid: str, title: Title) -> Response:
        if uid in WELL_KNOWN:
            done = subscriptions.unsubscribe_from_all(title, uid)
        else:
            done = subscriptions.unsubscribe(title, _key(worklist, uid))
        return _done(done)

    @app.post(f"{SUBSCRIBER}/suspend")
    def suspend(request: Request, uid: str, title: Title) -> Response:
        if uid not in WELL_KNOWN:
            why = f"only a subscription to all workitems is suspended, {EVERYTHING} or {FILTERED}"
            raise answers.refused(request, 400, why, why)
        return _done(subscriptions.suspend(title, uid))


def _add_channel(app: FastAPI, channels: Channels, admission: Admission) -> None:
    @app.websocket(CHANNEL, name="channel")
    async def channel(websocket: WebSocket, subscriber: str) -> None:
        refusal = await admission(websocket)
        try:
            if refusal is None:
                await channels.serve(websocket, checked_title(subscriber))
        except InputError as error:
            refusal = refusal_response(400, "bad-request", str(error))
        except (NotNow, StorageError) as error:
            refusal = refusal_response(503, error.code, str(error), retryable=True)
        if refusal is not None:
            await websocket.send_denial_response(refusal)

    @app.get(CHANNEL)
    def refuse_without_upgrade(title: Title) -> Response:
        message = f"a channel for event reports to {title} is a WebSocket: ask for the upgrade"
        needed = {"Upgrade": "websocket", "Connection": "Upgrade"}
        raise Refusal(HTTPStatus.UPGRADE_REQUIRED, "upgrade-required", message, needed)


def _key(worklist: Worklist, uid: str) -> str:
    job = worklist.job(uid)
    if job is None:
        raise not_found()
    return job.key


def _done(done: bool) -> Response:
    if not done:
        raise Refusal(404, "not-found", "there is no such subscription; it may have been ended before")
    return Response(None, 200)


def _lock_in(request: Request) -> bool:
    given = request.query_params.get(LOCK, "false")
    if given not in ("true", "false"):
        why = f"{LOCK} must be true or false"
        raise answers.refused(request, 400, why, why)
    return given == "true"


def _filter_in(request: Request) -> str:
    """The filter of a request, in the present form (`filter=NAME=VALUE,NAME=VALUE`) or in that of 2019 (`NAME=VALUE&NAME=VALUE`)."""
    keys: list[tuple[str, str]] = []
    for name, value in request.query_params.multi_items():
        if name == "filter":
            parts = [part.partition("=") for part in _BETWEEN_KEYS.split(value)]
            keys += [(key, wanted) for key, _, wanted in parts]
        elif name != LOCK:
            keys.append((name, value))
    with answers.refusing_in_words(request):
        return checked_filter(keys)

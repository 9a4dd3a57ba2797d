# SPDX-License-Identifier: AGPL-3.0-or-later
"""The plugin's REST routes.

GET  /nullsplat/status
GET  /nullsplat/metrics
GET  /nullsplat/series/{id}
POST /nullsplat/series/{id}   {"action": "run" | "again" | "release" | "deliver" | "cancel"}
                              {"action": "priority", "priority": "stat" | "normal" | "night"}
POST /nullsplat/queue         {"action": "pause" | "resume"}

Access is decided before: see `access`.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from nullsplat_node.access.gate import Refusal, user_of
from nullsplat_node.archive.archive import ArchiveError, NotInArchive
from nullsplat_node.checks import PRIORITIES
from nullsplat_node.lifecycle.actions import ACTIONS, PRIORITY
from nullsplat_node.shallow_json import loads
from nullsplat_node.views import metrics
from nullsplat_node.work.action_handler import SWITCHES, NotPossible
from nullsplat_node.work.audit import acting
from nullsplat_node.work.service import Service

QUEUE_ROUTE = "/nullsplat/queue"
STATUS_ROUTE = "/nullsplat/status"
METRICS_ROUTE = "/nullsplat/metrics"
RESET_ROUTE = "/tools/reset"
SERIES_ROUTE = "/nullsplat/series/([0-9a-f-]{44})"

Answer = Tuple[int, Dict[str, Any]]


def status_answer(service: Service, request: Mapping[str, Any]) -> Answer:
    """Return HTTP status and body for the status route."""
    if request["method"] != "GET":
        return 405, {"allow": "GET"}
    return 200, service.status()


def series_answer(service: Service, request: Mapping[str, Any]) -> Answer:
    """Return HTTP status and body for the route of one series."""
    series = request["groups"][0]
    try:
        if request["method"] == "GET":
            return 200, service.series(series)
        if request["method"] == "POST":
            return _wish(service, series, request)
    except NotInArchive:
        return _error(404, "no-such-series", f"there is no series {series} in this archive")
    except ArchiveError as error:
        return _error(503, "archive", f"{error}; try again, and look at Orthanc's log and disk")
    return 405, {"allow": "GET,POST"}


def queue_answer(service: Service, request: Mapping[str, Any]) -> Answer:
    """Return HTTP status and body for the route of the engine's queue."""
    if request["method"] != "POST":
        return 405, {"allow": "POST"}
    asked, problem = _asked(request, tuple(SWITCHES))
    return problem or _done(request, lambda: service.switch(str(asked["action"])))


def _wish(service: Service, series: str, request: Mapping[str, Any]) -> Answer:
    asked, problem = _asked(request, (*ACTIONS, PRIORITY))
    if problem:
        return problem
    if asked["action"] != PRIORITY:
        return _done(request, lambda: service.act(series, str(asked["action"])))
    priority = asked.get("priority")
    if priority not in PRIORITIES:
        return _error(
            400, "bad-request", f"priority must be one of {', '.join(PRIORITIES)}, got {str(priority)[:40]!r}"
        )
    return _done(request, lambda: service.move(series, str(priority)))


def _asked(request: Mapping[str, Any], actions: Tuple[str, ...]) -> Tuple[Dict[str, Any], Optional[Answer]]:
    """Return the body of a request for one of the actions, and the refusal of an invalid one."""
    try:
        body = loads(request.get("body") or b"")
    except ValueError:
        return {}, _error(400, "bad-request", f'the body must be JSON like {{"action": "{actions[0]}"}}')
    action = body.get("action") if isinstance(body, dict) else None
    if action not in actions:
        return {}, _error(
            400, "bad-request", f"action must be one of {', '.join(actions)}, got {str(action)[:40]!r}"
        )
    return body, None


def _done(request: Mapping[str, Any], action: Callable[[], Dict[str, Any]]) -> Answer:
    """Carry out an action in the name of the user, and return the answer."""
    try:
        with acting(user_of(request.get("headers", {}))):
            return 200, action()
    except NotPossible as refusal:
        return _error(409, refusal.code, str(refusal))


def _error(status: int, code: str, message: str) -> Answer:
    return status, {"error": {"code": code, "message": message}}


def refused(refusal: Refusal) -> Answer:
    """Return HTTP status and body for a refused request."""
    return _error(403, refusal.code, refusal.message)


def reset_answer() -> Answer:
    """Return HTTP status and body for Orthanc's own route /tools/reset, which this plugin disables."""
    return _error(
        403,
        "no-reset",
        "Orthanc cannot load the NullSplat plugin a second time into one process and would crash; restart the service instead",
    )


def send_metrics(output: Any, service: Service, request: Mapping[str, Any]) -> None:
    """Write the metrics to Orthanc's REST output."""
    if request["method"] != "GET":
        output.SendMethodNotAllowed("GET")
        return
    output.AnswerBuffer(service.metrics(), metrics.CONTENT_TYPE)


def send(output: Any, answer: Answer) -> None:
    """Write the answer to Orthanc's REST output."""
    status, body = answer
    text = json.dumps(body, indent=2)
    if status == 200:
        output.AnswerBuffer(text, "application/json")
        return
    if status == 405:
        output.SendMethodNotAllowed(body["allow"])  # Orthanc allows no other way
        return
    output.SetHttpHeader("Content-Type", "application/json")
    try:
        output.SendHttpStatus(status, text)
    except TypeError:  # the Python plugin up to 4.0 wants the length as well, later ones refuse it
        output.SendHttpStatus(status, text, len(text))

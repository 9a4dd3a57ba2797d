# SPDX-License-Identifier: AGPL-3.0-or-later
"""The routes that the status page gets its data from.

GET  /nullsplat/overview?group=NAME    the node, the engine and the queue
GET  /nullsplat/story/{id}             one series, with its history by attempt

Actions go to the route of the series, see `rest`.
"""

from __future__ import annotations

from typing import Any, Mapping

from nullsplat_node.archive.archive import ArchiveError, NotInArchive
from nullsplat_node.views.overview import viewers
from nullsplat_node.web import ohif
from nullsplat_node.web.rest import Answer
from nullsplat_node.work.service import Service

OVERVIEW_ROUTE = "/nullsplat/overview"
STORY_ROUTE = "/nullsplat/story/([0-9a-f-]{44})"


def overview_answer(service: Service, request: Mapping[str, Any], configuration: Mapping[str, Any]) -> Answer:
    """Return HTTP status and body for the overview."""
    if request["method"] != "GET":
        return 405, {"allow": "GET"}
    try:
        shown = service.overview(str(request.get("get", {}).get("group", "")))
        shown["viewers"] = viewers(
            service.plugins(), ohif.is_there(configuration), ohif.hangs_side_by_side(configuration)
        )
    except ArchiveError as error:
        return _unavailable(error)
    return 200, shown


def story_answer(service: Service, request: Mapping[str, Any]) -> Answer:
    """Return HTTP status and body for one series with its history."""
    if request["method"] != "GET":
        return 405, {"allow": "GET"}
    series = request["groups"][0]
    try:
        return 200, service.history(series)
    except NotInArchive:
        message = f"there is no series {series} in this archive; it may have been deleted"
        return 404, {"error": {"code": "no-such-series", "message": message}}
    except ArchiveError as error:
        return _unavailable(error)


def _unavailable(error: ArchiveError) -> Answer:
    message = f"{error}; try again, and look at Orthanc's log and disk"
    return 503, {"error": {"code": "archive", "message": message}}

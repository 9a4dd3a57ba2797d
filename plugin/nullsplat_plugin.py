# SPDX-License-Identifier: AGPL-3.0-or-later
"""The script that Orthanc's Python plugin loads: {"PythonScript": ".../plugin/nullsplat_plugin.py"}.

Connects Orthanc's callbacks to `nullsplat_node.work.service`. A wrong setting raises here, so that Orthanc stops
with the reason instead of running without the plugin.
"""

import json
import os
import pathlib
import re
import sys
import time
from typing import Any, Callable, Dict

import orthanc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from nullsplat_node.access import exposure, gate
from nullsplat_node.access.refused_requests import RefusedRequests
from nullsplat_node.archive.archive import Archive
from nullsplat_node.settings import read_settings
from nullsplat_node.web import ohif, page_data, pages, rest
from nullsplat_node.work import audit
from nullsplat_node.work.context import Log
from nullsplat_node.work.service import Service

CONFIGURATION = json.loads(orthanc.GetConfiguration())
SETTINGS = read_settings(CONFIGURATION, os.environ)
LOG = Log(orthanc.LogWarning, orthanc.LogError)
ARCHIVE = Archive(orthanc)
SERVICE = Service(ARCHIVE, SETTINGS, LOG, audit.writer(LOG, os.environ))
GATE = gate.Gate(SETTINGS.roles, SETTINGS.trusted_origins)
REFUSED = RefusedRequests(orthanc.LogWarning, time.monotonic)
SERVED: Dict[str, Callable[..., None]] = {}
"""The plugin's routes, which report themselves why they refuse. Orthanc's Python plugin 5 to 7 crashes when Orthanc stops, unless
another reference to the registered functions is kept."""
OHIF_PAGE = ohif.read_page(CONFIGURATION, LOG)

_SERIES_EVENTS = (orthanc.ChangeType.STABLE_SERIES, orthanc.ChangeType.DELETED)
_JOB_EVENTS = (orthanc.ChangeType.JOB_SUCCESS, orthanc.ChangeType.JOB_FAILURE)


def on_change(change_type: int, level: int, resource: str) -> None:
    """Notify and return at once: Orthanc delivers all events on a single thread."""
    if change_type == orthanc.ChangeType.ORTHANC_STARTED:
        SERVICE.start()
        warn_of_modalities()
    elif change_type == orthanc.ChangeType.UPDATED_MODALITIES:
        warn_of_modalities()
    elif change_type == orthanc.ChangeType.ORTHANC_STOPPED:
        SERVICE.stop()
    elif change_type in _SERIES_EVENTS and level == orthanc.ResourceType.SERIES:
        SERVICE.series_changed(resource)
    elif change_type in _JOB_EVENTS:
        SERVICE.store_ended(resource)


def warn_of_modalities() -> None:
    """Log which modalities in Orthanc's database may read the archive; one of them may just have been added by REST."""
    for sentence in exposure.added_modalities(ARCHIVE.modalities(), CONFIGURATION):
        orthanc.LogWarning(f"NullSplat: {sentence}")


def on_http_request(uri: str, **request: Any) -> bool:
    """Admit or refuse the request; Orthanc answers a refused one with a bare 403."""
    method = gate.METHODS.get(request["method"], "?")
    refusal = GATE.refusal(method, uri, request.get("headers", {}), request.get("get", {}))
    if refusal is None:
        return True
    REFUSED.note(refusal)
    return any(re.fullmatch(route, gate.normal(uri)) for route in SERVED)


def serve(route: str, answer: Callable[..., None]) -> None:
    """Register a route with access control; refused requests get the reason."""

    def guarded(output: Any, uri: str, **request: Any) -> None:
        refusal = GATE.refusal(request["method"], uri, request.get("headers", {}))
        if refusal is None:
            answer(output, uri, **request)
        else:
            rest.send(output, rest.refused(refusal))

    SERVED[route] = guarded
    orthanc.RegisterRestCallback(route, guarded)


def on_status(output: Any, uri: str, **request: Any) -> None:
    """Answer the status route."""
    rest.send(output, rest.status_answer(SERVICE, request))


def on_metrics(output: Any, uri: str, **request: Any) -> None:
    """Answer the route of the metrics."""
    rest.send_metrics(output, SERVICE, request)


def on_series(output: Any, uri: str, **request: Any) -> None:
    """Answer the route of one series."""
    rest.send(output, rest.series_answer(SERVICE, request))


def on_queue(output: Any, uri: str, **request: Any) -> None:
    """Answer the route of the engine's queue."""
    rest.send(output, rest.queue_answer(SERVICE, request))


def on_overview(output: Any, uri: str, **request: Any) -> None:
    """Answer what the status page shows first."""
    rest.send(output, page_data.overview_answer(SERVICE, request, CONFIGURATION))


def on_story(output: Any, uri: str, **request: Any) -> None:
    """Answer what the status page shows of one series."""
    rest.send(output, page_data.story_answer(SERVICE, request))


def on_reset(output: Any, uri: str, **request: Any) -> None:
    """Answer in place of Orthanc, which would load the plugin twice."""
    rest.send(output, rest.reset_answer())


def on_asset(output: Any, uri: str, **request: Any) -> None:
    """Answer with a file of the status page."""
    pages.send_asset(output, request)


def on_ohif(output: Any, uri: str, **request: Any) -> None:
    """Answer with the page of the OHIF viewer."""
    ohif.send_page(output, request, OHIF_PAGE)


def on_redirect(output: Any, uri: str, **request: Any) -> None:
    """Send the browser on to the status page."""
    pages.redirect(output, uri)


orthanc.RegisterOnChangeCallback(on_change)
orthanc.RegisterIncomingHttpRequestFilter(on_http_request)
serve(rest.STATUS_ROUTE, on_status)
serve(rest.METRICS_ROUTE, on_metrics)
serve(rest.SERIES_ROUTE, on_series)
serve(rest.QUEUE_ROUTE, on_queue)
serve(rest.RESET_ROUTE, on_reset)
serve(page_data.OVERVIEW_ROUTE, on_overview)
serve(page_data.STORY_ROUTE, on_story)
serve(pages.ASSET_ROUTE, on_asset)
if OHIF_PAGE:
    serve(ohif.PAGE_ROUTE, on_ohif)
for path in pages.REDIRECTS:
    serve(re.escape(path), on_redirect)
orthanc.ExtendOrthancExplorer(pages.explorer_extension() + (ohif.explorer_extension() if OHIF_PAGE else ""))
for sentence in exposure.exposures(CONFIGURATION, SETTINGS.roles):
    orthanc.LogWarning(f"NullSplat: {sentence}")

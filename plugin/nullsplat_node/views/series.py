# SPDX-License-Identifier: AGPL-3.0-or-later
"""The state of a series over REST; no patient data, no secret."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Dict, List, Optional

from nullsplat_node.lifecycle.actions import movable, possible
from nullsplat_node.lifecycle.reconciler import Contact
from nullsplat_node.lifecycle.routing import Route
from nullsplat_node.lifecycle.state import (
    FAILED,
    IN_WORK,
    INELIGIBLE,
    MARKED,
    PENDING,
    RESULT,
    ROUTING,
    RUNNING,
    UNDELIVERED,
    SeriesState,
)
from nullsplat_node.series.refusal import TITLES
from nullsplat_node.settings import Settings

_TITLES = {
    "pending": "waiting for the engine",
    "running": "being processed",
    "succeeded": "finished, being checked",
    "routing": "finished, being sent on",
    "done": "finished",
    "held": "finished, held back",
    "undelivered": "finished, but not delivered",
    "failed": "failed",
    "cancelled": "cancelled",
    "result": "made by NullSplat",
}
_STAGE_TITLES = {
    "fetch": "fetching the series",
    "stage1": "estimating missing detail",
    "stage2": "representing the detail by Gaussians",
    "consistency": "enforcing data consistency",
    "derive": "writing DICOM",
    "store": "storing the result",
}


def iso(time: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC, whole seconds."""
    return datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def brief(state: SeriesState, contact: Contact) -> Dict[str, Any]:
    """Return the lines of a series in a list."""
    shown: Dict[str, Any] = {
        "state": state.phase,
        "title": _title(state, contact),
        "message": _message(state, contact),
        "since": iso(state.since),
    }
    if state.rule:
        shown["rule"] = state.rule
    if state.code:
        shown["code"] = state.code
    if state.phase in IN_WORK and contact.progress is not None:
        shown.update(
            progress=contact.progress,
            stage=contact.stage,
            stage_title=_STAGE_TITLES.get(contact.stage, contact.stage),
            note=contact.note,
            eta_seconds=contact.eta,
        )
    if state.phase == RUNNING and contact.position is not None:
        shown["position"] = contact.position
    if state.request and movable(state, queued=contact.position is not None):
        shown["movable"] = True
    return shown


def full(series: str, state: Optional[SeriesState], contact: Contact) -> Dict[str, Any]:
    """Return everything about one series."""
    if state is None:
        shown: Dict[str, Any] = {
            "state": "new",
            "title": "not checked yet",
            "message": "it is checked as soon as no more instances arrive",
        }
        return {"series": series, **shown, "actions": list(possible(None)), "history": []}
    shown = {"series": series, **brief(state, contact), "actions": list(possible(state))}
    shown["decision"], shown["rule"] = state.decision, state.rule
    if state.request:
        parameters = state.request.get("parameters", {})
        shown["job"] = {"key": state.key, "attempt": state.attempt, "parameters": parameters}
        shown["priority"] = state.request.get("priority", "normal")
    if state.result:
        shown["derived"] = {
            "series": state.result.series,
            "series_instance_uid": state.result.series_uid,
            "instances": state.result.instances,
            "further": sorted(one for one in state.result.further.values() if one),
            "report": state.result.report,
        }
    if state.phase == RESULT:
        shown["source"] = state.source
    shown["routes"] = [_route(route) for route in state.routes]
    shown["history"] = [{"time": iso(time), "text": words} for time, words in state.history]
    return shown


def settings_shown(settings: Settings) -> Dict[str, Any]:
    """Return the settings in effect, without the secret."""
    criteria, low_dose, options = settings.criteria, settings.criteria.low_dose, settings.rules.defaults
    return {
        "engine_url": settings.engine.url,
        "rules_file": settings.rules.source,
        "rules": [{"name": rule.name, "text": str(rule)} for rule in settings.rules.rules],
        "preset": options.preset,
        "scale": list(options.scale) if options.scale else "auto",
        "target_slice_spacing_mm": options.target_spacing,
        "seed": settings.engine.seed,
        "samples": options.samples,
        "automatic": criteria.automatic,
        "max_age_days": criteria.max_age_days,
        "min_slices": criteria.min_slices,
        "low_dose": {
            "max_ctdivol_mgy": low_dose.max_ctdivol,
            "max_mas": low_dose.max_mas,
            "words": low_dose.words,
            "called_aets": list(low_dose.called_aets),
            "stations": list(low_dose.stations),
            "body_parts": list(low_dose.body_parts),
        },
        "destinations": list(options.destinations),
        "dicomweb_destinations": list(settings.partners),
        "webhooks": list(settings.webhooks),
        "storage_commitment": list(settings.commitment.destinations),
        "max_attempts": settings.retry.max_attempts,
        "delivery_tries": settings.persistence.most,
        "stable_age_seconds": settings.stable_age,
        "reconcile_interval_seconds": settings.reconcile_interval,
        "poll_interval_seconds": settings.poll_interval,
    }


def _title(state: SeriesState, contact: Contact) -> str:
    if state.phase == INELIGIBLE:
        return f"not taken: {TITLES.get(state.code, state.code)}"
    if state.phase == PENDING and contact.held and not contact.error:
        return "waiting, held by its rule"
    if state.phase == RUNNING and contact.position is not None:
        return "waiting in the engine's queue"
    return f"{_TITLES[state.phase]}{', marked' if state.code == MARKED else ''}"


def _message(state: SeriesState, contact: Contact) -> str:
    if state.phase in IN_WORK and contact.error:
        return f"{contact.error}; next try at {iso(contact.next_try)}"
    if state.phase == PENDING and contact.held:
        return f"rule {state.rule!r}: {contact.held}; next check at {iso(contact.next_try)}"
    if state.phase == ROUTING:
        return "; ".join([*_mark(state), *(_route_words(route) for route in state.routes)])
    if state.phase == UNDELIVERED:
        errors = (f"{route.name}: {route.error}" for route in state.routes if route.undelivered)
        return "; ".join([*_mark(state), *errors])
    if state.phase == FAILED and state.retry_at is not None:
        return f"{state.message}; next attempt at {iso(state.retry_at)}"
    return state.message or state.decision


def _mark(state: SeriesState) -> List[str]:
    return [state.message] if state.code == MARKED else []


def _route(route: Route) -> Dict[str, Any]:
    shown: Dict[str, Any] = {"destination": route.destination, "state": route.phase, "tries": route.tries}
    if route.what:
        shown["what"] = route.what
    if route.error:
        shown["error"] = route.error
    if route.phase == "waiting" and route.next_try:
        shown["next_try"] = iso(route.next_try)
    return shown


def _route_words(route: Route) -> str:
    again = (
        f" ({route.error}; next try at {iso(route.next_try)})" if route.error and not route.settled else ""
    )
    return f"{route.name}: {route.phase}{again}"

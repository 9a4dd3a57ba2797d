# SPDX-License-Identifier: AGPL-3.0-or-later
"""The step that sends a result on: advances every route, whatever its transport."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Mapping, Tuple

from nullsplat_node.archive.archive import NotInArchive, StoreRefused
from nullsplat_node.lifecycle import routing, transitions
from nullsplat_node.lifecycle.routing import Outcome, Parcel, Route
from nullsplat_node.lifecycle.state import Result, SeriesState
from nullsplat_node.outgoing.errands import Errands
from nullsplat_node.work.carriers import Carrier, DicomCarrier, StowCarrier, WebhookCarrier
from nullsplat_node.work.context import Parts

AT_ONCE = 0.0
"""Time of the next check when something changed."""
BETWEEN_LOOKS = 0.05
"""Seconds between unprompted checks, for each series in delivery: thousands of them must leave time for others."""

_NO_REPORT = "it sent no report in time; tell it this node's AE title and address, and set AllowStorageCommitment for it here"


class Deliveries:
    """Sends results to their destinations."""

    def __init__(self, parts: Parts, errands: Errands) -> None:
        self._archive = parts.archive
        self._store = parts.store
        self._settings = parts.settings
        self._clock = parts.clock
        self._dicom = DicomCarrier(parts.archive, parts.settings.commitment.destinations)
        settings = parts.settings
        stow = {name: StowCarrier(one, parts.archive, errands) for name, one in settings.partners.items()}
        notified = {name: WebhookCarrier(one, errands) for name, one in settings.webhooks.items()}
        self._others: Mapping[str, Carrier] = {**stow, **notified}

    def advance(self, series: str, state: SeriesState) -> float:
        """Advance the routes of a series, and return when to check again."""
        now = self._clock()
        result = state.result or Result("")
        try:
            self._archive.look(result.series)
        except NotInArchive:
            self._store.replace(series, state, transitions.result_gone(state, now))
            return AT_ONCE
        whole = any(route.phase == routing.WAITING and not route.series for route in state.routes)
        parcels = self._parcels(result) if whole else []
        split = routing.for_each(state.routes, parcels, self._settings.webhooks)
        due, known = routing.due(split), replace(state, routes=split)
        routes = tuple(self._advance(one, now, series, known) if one in due else one for one in split)
        self._store.replace(series, state, transitions.rerouted(state, routes, now))
        return routing.next_look(routing.due(routes), now, self._poll(split, routes)) or AT_ONCE

    def withdraw(self, state: SeriesState) -> None:
        """Cancel what is being sent; what has arrived stays there."""
        for route in state.routes:
            if route.phase == routing.SENDING:
                self._carrier(route).withdraw(route)

    def _poll(self, before: Tuple[Route, ...], after: Tuple[Route, ...]) -> float:
        """Return after how many seconds to poll what is being sent, in case no event reports its end."""
        usual = self._settings.poll_interval
        if any(new.job and new.job != old.job for old, new in zip(before, after)):
            return usual  # it may have ended before its name was noted
        return max(usual, BETWEEN_LOOKS * self._store.delivering())

    def _parcels(self, result: Result) -> List[Parcel]:
        """Return what is sent: the images, and what goes along with them and is still here."""
        wanted = result.further.values() if self._settings.send_further else ()
        found = ((series, self._modality(series)) for series in wanted)
        return [Parcel(result.series), *(Parcel(series, what) for series, what in found if what)]

    def _modality(self, series: str) -> str:
        """Return the modality of a series, empty when it was deleted."""
        try:
            return self._archive.look(series).modality or "?"
        except NotInArchive:
            return ""

    def _advance(self, route: Route, now: float, series: str, state: SeriesState) -> Route:
        if route.settled or (route.phase == routing.WAITING and not routing.has_come(route.next_try, now)):
            return route
        if route.phase != routing.WAITING:
            return self._confirm(route, now)
        if not self._modality(route.series):  # a missing map must not delay the images
            return routing.abandoned(route)
        try:
            return routing.begun(route, self._carrier(route).begin(route, series, state))
        except StoreRefused as error:
            return routing.failed(route, str(error), now, self._settings.persistence)

    def _carrier(self, route: Route) -> Carrier:
        return self._others.get(route.destination, self._dicom)

    def _confirm(self, route: Route, now: float) -> Route:
        outcome = self._carrier(route).outcome(route)
        if outcome is None:
            return routing.lost(route, now, self._settings.persistence)
        if outcome.done:
            return routing.delivered(route)
        if outcome.transaction:
            return routing.committing(route, outcome.transaction, now + self._settings.commitment.timeout)
        if outcome.error:
            return self._ended(route, outcome, now)
        longest = self._settings.commitment.timeout
        if route.phase == routing.COMMITTING and routing.has_come(route.next_try, now, longest):
            return self._ended(route, Outcome(error=_NO_REPORT), now)
        return route

    def _ended(self, route: Route, outcome: Outcome, now: float) -> Route:
        asked = route.phase == routing.COMMITTING
        what = f"storage commitment by {route.destination}"
        what = what if asked else f"{self._carrier(route).service} to {route.destination}"
        if outcome.cure:
            return routing.refused(route, f"{what} was refused ({outcome.error}); {outcome.cure}")
        return routing.failed(route, f"{what} failed: {outcome.error}", now, self._settings.persistence)

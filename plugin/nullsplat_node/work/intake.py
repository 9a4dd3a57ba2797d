# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks a series of the archive, and makes a job of it."""

from __future__ import annotations

from typing import Dict, List, Optional

from nullsplat_node.archive.archive import SeriesHere
from nullsplat_node.engine.contract import fingerprint, job_key, parameters
from nullsplat_node.lifecycle import transitions
from nullsplat_node.lifecycle.state import DONE, HELD, ROUTING, UNDELIVERED, SeriesState
from nullsplat_node.lifecycle.transitions import Job
from nullsplat_node.rules.eligibility import Candidate, Taken, check_eligibility, prescreen
from nullsplat_node.series.refusal import Refused
from nullsplat_node.series.tags import Tags, text
from nullsplat_node.shallow_json import TooDeep
from nullsplat_node.work.context import Parts

DAY = 86400.0


class Intake:
    """Decides on series and builds the job requests."""

    def __init__(self, parts: Parts) -> None:
        self._archive = parts.archive
        self._store = parts.store
        self._settings = parts.settings
        self._clock = parts.clock

    def checked(self, here: SeriesHere, state: Optional[SeriesState], retry: bool = False) -> SeriesState:
        """Return the state after an automatic check.

        Args:
            retry: the last attempt failed and another is due.
        """
        forced = state.forced if state else False
        try:
            job = self._job(here, state, forced)
        except Refused as refusal:
            return transitions.refused(state, here.digest, refusal, self._clock())
        if state is not None and not retry and _is_done(state, job):
            return transitions.same_again(state, here.digest, self._clock())
        retries = state.retries + 1 if state and retry else 0
        return transitions.taken(state, job, self._clock(), retries)

    def asked_for(self, here: SeriesHere, state: Optional[SeriesState]) -> SeriesState:
        """Return the state after a person requested processing, overruling policy.

        Raises:
            Refused: it cannot be done.
        """
        return transitions.taken(state, self._job(here, state, forced=True), self._clock())

    def _job(self, here: SeriesHere, state: Optional[SeriesState], forced: bool) -> Job:
        criteria = self._settings.criteria
        prescreen(here.modality, (self._clock() - here.changed_at) / DAY, criteria, forced)
        tags = self._tags(here)
        series_uid = text(tags[0], "SeriesInstanceUID")
        self._require_unique(here, series_uid)
        candidate = Candidate(
            tags,
            self._archive.origin(here),
            self._store.is_derived(series_uid),
        )
        taken = check_eligibility(candidate, criteria, forced)
        request = self._request(tags, taken, state)
        return Job(
            request,
            job_key(request),
            here.digest,
            taken.decision,
            forced,
            rule=taken.rule,
            destinations=taken.options.destinations,
        )

    def _tags(self, here: SeriesHere) -> List[Tags]:
        try:
            return self._archive.tags(here)
        except TooDeep:
            raise Refused(
                "incomplete-header",
                "headers that can be read are needed, in some of them sequences are nested too deeply",
            ) from None

    def _require_unique(self, here: SeriesHere, series_uid: str) -> None:
        """Refuse a series whose UID another one has, of another patient or study: DICOMweb cannot tell them apart."""
        others = [one for one in self._archive.find_series(series_uid) if one != here.series]
        if others:
            raise Refused(
                "series-not-unique",
                f"one series with this Series Instance UID is needed, the archive holds {1 + len(others)}, under other patients "
                "or studies; delete the wrong ones, and the remaining one is taken within minutes",
            )

    def _request(self, tags: List[Tags], taken: Taken, state: Optional[SeriesState]) -> Dict[str, object]:
        options, seed = taken.options, self._settings.engine.seed
        series_uid = text(tags[0], "SeriesInstanceUID")
        mark = fingerprint(series_uid, [text(one, "SOPInstanceUID") for one in tags])
        return {
            "study_instance_uid": text(tags[0], "StudyInstanceUID"),
            "series_instance_uid": series_uid,
            "fingerprint": mark,
            # Counted over all sets of instances, so that no key comes twice: one may have been cancelled.
            "attempt": state.attempt + 1 if state else 1,
            "parameters": parameters(
                options.preset, taken.scale, seed, options.samples, options.slice_profile, taken.has_gaps
            ),
            "priority": options.priority,
        }


def _is_done(state: SeriesState, job: Job) -> bool:
    """Return whether the state's result was made from just these instances."""
    done = state.phase in (DONE, ROUTING, HELD, UNDELIVERED) and state.request is not None
    return done and (state.request or {}).get("fingerprint") == job.request["fingerprint"]

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Performs the steps of `reconciler.Step`: each calls Orthanc or the engine and stores the new state.

A step returns when to check the series again, in seconds since the epoch.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Callable, Dict, Mapping, Optional, Tuple

from nullsplat_node.archive.archive import SeriesHere
from nullsplat_node.engine.client import EngineRefused, EngineUnavailable
from nullsplat_node.engine.contract import Failure, JobResult, JobStatus, job_key
from nullsplat_node.engine.link import EngineLink
from nullsplat_node.lifecycle import transitions
from nullsplat_node.lifecycle.reconciler import Contact, Step
from nullsplat_node.lifecycle.state import Result, SeriesState
from nullsplat_node.lifecycle.transitions import Judgement
from nullsplat_node.rules.schedule import Hold, hold
from nullsplat_node.work.context import Parts
from nullsplat_node.work.deliveries import Deliveries
from nullsplat_node.work.intake import Intake

AT_ONCE = 0.0
"""Time of the next check when something changed."""
RESULT_ATTEMPTS = 5
"""Attempts after which a missing result is not made again: each is a whole run, and stores one more series."""


class Steps:
    """Performs the steps for a series.

    Attributes:
        contacts: contact with the engine, by series; may be lost in a restart.
    """

    def __init__(self, parts: Parts, intake: Intake, deliveries: Deliveries) -> None:
        self.contacts: Dict[str, Contact] = {}
        self._archive = parts.archive
        self._engine = parts.engine
        self._store = parts.store
        self._settings = parts.settings
        self._clock = parts.clock
        self._intake = intake
        self._deliveries = deliveries
        self._at_engine: Mapping[Step, Callable[[str, SeriesState], float]] = {
            Step.SUBMIT: self._submit,
            Step.POLL: self._poll,
            Step.VERIFY: self._verify,
            Step.CANCEL_OBSOLETE: self._cancel_obsolete,
        }

    def perform(self, step: Step, here: SeriesHere, state: Optional[SeriesState]) -> float:
        """Perform one step and return when to check again."""
        if step in (Step.CHECK, Step.RETRY):
            after = self._intake.checked(here, state, retry=step is Step.RETRY)
            self._store.replace(here.series, state, after)
            self.forget(here.series)
            return AT_ONCE
        if state is None:
            raise ValueError(f"the step {step.value!r} needs a series that was checked before")
        if step is Step.ROUTE:
            return self._deliveries.advance(here.series, state)
        return self._ask_engine(step, here.series, state)

    def forget(self, series: str) -> None:
        """Drop the contact for a series: it was deleted, or has another job now."""
        self.contacts.pop(series, None)

    def try_at_once(self, series: str) -> None:
        """Clear the wait of a series, of which the last answer still holds: it has the same job."""
        contact = self.contacts.get(series)
        if contact is not None:
            self.contacts[series] = replace(contact, tries=0, next_try=0.0)

    def try_all_at_once(self) -> None:
        """Clear all waits: the engine is back."""
        for series in list(self.contacts):
            self.try_at_once(series)

    def contact(self, series: str) -> Contact:
        """Return the contact with the engine for this series."""
        return self.contacts.get(series, Contact())

    def _ask_engine(self, step: Step, series: str, state: SeriesState) -> float:
        try:
            return self._at_engine[step](series, state)
        except EngineUnavailable as error:
            return self._wait_for_engine(series, str(error))
        except EngineRefused as refusal:
            self._fail(series, state, refusal.failure)
            return AT_ONCE

    def _wait_for_engine(self, series: str, error: str) -> float:
        before = self.contact(series)
        tries = before.tries + 1
        next_try = self._clock() + self._settings.retry.backoff.delay(tries)
        self.contacts[series] = replace(before, tries=tries, next_try=next_try, error=error, held="")
        return AT_ONCE

    def _submit(self, series: str, state: SeriesState) -> float:
        held = self._held(series, state)
        if held is not None:
            self.contacts[series] = Contact(next_try=held.until, held=held.words)
            return held.until
        status = self._engine.ask(lambda client: client.submit(state.key, state.request or {}))
        if status.state == "cancelled":
            return self._renumber(series, state)
        self._set_priority(state, status)
        if self._store.replace(series, state, after := transitions.accepted(state, self._clock())):
            return self._follow(series, after, status)
        return AT_ONCE

    def _set_priority(self, state: SeriesState, status: JobStatus) -> None:
        """Move a queued job that the engine had before, when a person gave the series another priority meanwhile."""
        priority = str((state.request or {}).get("priority", "normal"))
        if status.state == "queued" and status.priority not in ("", priority):
            with contextlib.suppress(EngineRefused):  # it was taken meanwhile, or the engine cannot move jobs
                self._engine.ask(lambda client: client.move(state.key, priority))

    def _held(self, series: str, state: SeriesState) -> Optional[Hold]:
        """Return why the rule of the series holds it; what a person requested is not held.

        The current rule of that name counts, so that changed hours apply to waiting series too.
        """
        rule = self._settings.rules.named(state.rule)
        if rule is None or state.forced:
            return None
        now = self._clock()
        handed = self._store.handed_over(rule.name, now)
        if handed is not None and series in handed:  # it was counted for this day
            return hold(rule.options.hours, None, None, now)
        return hold(rule.options.hours, rule.options.daily, None if handed is None else len(handed), now)

    def _renumber(self, series: str, state: SeriesState) -> float:
        request = {**(state.request or {}), "attempt": state.attempt + 1}
        after = transitions.renumbered(state, request, job_key(request), self._clock())
        self._store.replace(series, state, after)
        return AT_ONCE

    def _poll(self, series: str, state: SeriesState) -> float:
        return self._follow(series, state, self._job(state))

    def _job(self, state: SeriesState) -> JobStatus:
        """Return the job's status; if the engine lost the job (a new database), submit it again."""
        status = self._engine.ask(lambda client: client.job(state.key))
        return status or self._engine.ask(lambda client: client.submit(state.key, state.request or {}))

    def _follow(self, series: str, state: SeriesState, status: JobStatus) -> float:
        now = self._clock()
        if status.state == "failed" and status.failure:
            self._fail(series, state, status.failure)
        elif status.state == "cancelled":
            self._store.replace(series, state, transitions.stopped_at_engine(state, now))
        elif status.state == "succeeded" and status.result:
            self._store.replace(series, state, transitions.finished(state, status.result, now))
        else:
            look_again = now + self._settings.poll_interval
            self.contacts[series] = Contact(
                next_try=look_again,
                progress=status.progress,
                stage=status.stage,
                note=status.note,
                eta=status.eta,
                position=status.position,
            )
            return look_again
        self.contacts.pop(series, None)
        return AT_ONCE

    def _fail(self, series: str, state: SeriesState, failure: Failure) -> None:
        self._store.replace(
            series, state, transitions.failed(state, failure, self._clock(), self._settings.retry)
        )
        self.contacts.pop(series, None)

    def _verify(self, series: str, state: SeriesState) -> float:
        status = self._job(state)
        if status.state != "succeeded" or not status.result:
            return self._follow(series, state, status)
        found, missing = self._find(status.result, series)
        if missing:
            again = state.retries + 1 < RESULT_ATTEMPTS
            self._fail(series, state, _incomplete(status.result, missing, again))
            return AT_ONCE
        for derived in (found.series, *found.further.values()):
            self._mark(derived, series)
        asked = state.destinations
        destinations = self._settings.rules.defaults.destinations if asked is None else asked
        judgement = self._judgement(state, status.result)
        after = transitions.verified(state, found, destinations, self._clock(), judgement)
        self._store.replace(series, state, after)
        return AT_ONCE

    def _judgement(self, state: SeriesState, result: JobResult) -> Judgement:
        """Return the verdict on the engine's figures by the current rule of that name, else by the defaults."""
        rule = self._settings.rules.named(state.rule)
        options = rule.options if rule else self._settings.rules.defaults
        return Judgement(options.hold.exceeded_by(result.report), options.mark.exceeded_by(result.report))

    def _find(self, result: JobResult, source: str) -> Tuple[Result, int]:
        """Return the result in the archive, and how many instances of all its series are missing."""
        series, missing = self._best(result.series_uid, result.sop_uids, source)
        further = {}
        for series_uid, sop_uids in result.further.items():
            further[series_uid], absent = self._best(series_uid, sop_uids, source)
            missing += absent
        return Result(result.series_uid, series, len(set(result.sop_uids)), further=further), missing

    def _best(self, series_uid: str, sop_uids: Tuple[str, ...], source: str) -> Tuple[str, int]:
        """Return Orthanc's identifier of the series that holds most of the instances, and how many it lacks.

        A result of another source does not count, for example of the same slices under another patient's name.
        """
        wanted = set(sop_uids)
        best, missing = "", len(wanted)
        for series in self._archive.find_series(series_uid):
            mark = self._store.load(self._archive.look(series))
            if mark is not None and mark.source not in ("", source):
                continue
            absent = len(wanted.difference(self._archive.sop_uids(series)))
            if absent < missing:
                best, missing = series, absent
        return best, missing

    def _mark(self, derived: str, source: str) -> None:
        """Mark the result as ours, retrying because a check may write at the same time."""
        here = self._archive.look(derived)
        marked = False
        while not marked:
            before = self._store.load(here)
            marked = self._store.replace(derived, before, transitions.made_here(source, self._clock()))

    def _cancel_obsolete(self, series: str, state: SeriesState) -> float:
        key = state.obsolete[0]
        cancel_at_engine(self._engine, key)
        self._store.replace(series, state, transitions.obsolete_cancelled(state, key))
        return AT_ONCE


def cancel_at_engine(engine: EngineLink, key: str) -> None:
    """Tell the engine to cancel a job.

    Raises:
        EngineUnavailable: it could not be reached.
    """
    # A job that has ended counts as cancelled.
    with contextlib.suppress(EngineRefused):
        engine.ask(lambda client: client.cancel(key))


def _incomplete(result: JobResult, missing: int, again: bool) -> Failure:
    return Failure(
        "result-missing",
        f"all {_instances(result)} instances of the result must be in this archive, {missing} are not, or belong to another "
        "series; check that the engine's archive_url is this Orthanc",
        retryable=again,
    )


def _instances(result: JobResult) -> int:
    return len(result.sop_uids) + sum(len(sop_uids) for sop_uids in result.further.values())

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Carries out actions of people, on one series or on the engine's whole queue."""

from __future__ import annotations

from typing import Callable, Optional

from nullsplat_node.archive.archive import Archive, SeriesHere
from nullsplat_node.engine.client import EngineRefused, EngineUnavailable
from nullsplat_node.lifecycle import transitions
from nullsplat_node.lifecycle.actions import CANCEL, DELIVER, RELEASE, why_not
from nullsplat_node.lifecycle.state import PENDING, RUNNING, SeriesState
from nullsplat_node.series.refusal import Refused
from nullsplat_node.work.audit import AuditedStore
from nullsplat_node.work.context import Parts
from nullsplat_node.work.intake import Intake
from nullsplat_node.work.steps import cancel_at_engine

SWITCHES = {"pause": "paused", "resume": "resumed"}
"""Actions on the whole queue, and their names in the audit log."""


class NotPossible(Exception):
    """The action is not possible now; `code` for machines, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ActionHandler:
    """Every method raises NotPossible, with the reason, when the action is not possible now."""

    def __init__(
        self, parts: Parts, store: AuditedStore, intake: Intake, withdraw: Callable[[SeriesState], None]
    ) -> None:
        self._archive: Archive = parts.archive
        self._engine = parts.engine
        self._settings = parts.settings
        self._clock = parts.clock
        self._store = store
        self._intake = intake
        self._withdraw = withdraw

    def switch(self, how: str) -> None:
        """Apply one of `SWITCHES` to the engine's queue."""
        _at_engine(lambda: self._engine.switch(how))
        self._store.note({"what": SWITCHES[how]})

    def move(self, series: str, priority: str) -> None:
        """Give a waiting series another priority; raises NotInArchive too."""
        before = self._store.load(self._archive.look(series))
        if before is None or before.phase not in (PENDING, RUNNING):
            raise NotPossible(
                "not-queued",
                f"only a series that waits can be given another priority; this one is {before.phase if before else 'new'}",
            )
        if before.phase == RUNNING:
            _at_engine(lambda: self._engine.ask(lambda client: client.move(before.key, priority)))
        self._replace(series, before, transitions.moved(before, priority, self._clock()))

    def act(self, series: str, action: str) -> None:
        """Carry out one of the actions of `lifecycle.actions`; raises NotInArchive too."""
        here = self._archive.look(series)
        before = self._store.load(here)
        reason = why_not(action, before)
        if reason:
            raise NotPossible(before.code if before and before.code else "not-possible", reason)
        if action == RELEASE and before is not None:
            self._release(series, before)
        else:
            self._replace(series, before, self._after_action(here, before, action))
        if action == CANCEL and before is not None:
            self._withdraw(before)

    def _release(self, series: str, before: SeriesState) -> None:
        _at_engine(lambda: self._engine.ask(lambda client: client.release(before.key)))
        try:
            self._replace(series, before, transitions.released(before, self._clock()))
        except NotPossible:  # another attempt started meanwhile, and one is enough
            _at_engine(lambda: cancel_at_engine(self._engine, before.key))
            raise

    def _replace(self, series: str, before: Optional[SeriesState], after: SeriesState) -> None:
        if not self._store.replace(series, before, after):
            raise NotPossible("changed-meanwhile", "the state of the series has just changed; look again")

    def _after_action(self, here: SeriesHere, before: Optional[SeriesState], action: str) -> SeriesState:
        if action == CANCEL and before is not None:
            return transitions.cancelled(before, self._clock())
        if action == DELIVER and before is not None:
            return transitions.sent_again(before, self._clock())
        still = here.changed_at + self._settings.stable_age - self._clock()
        if still > 0:
            raise NotPossible(
                "still-arriving", f"instances may still arrive; ask again in {still:.0f} seconds"
            )
        try:
            return self._intake.asked_for(here, before)
        except Refused as refusal:
            raise NotPossible(
                refusal.code, f"this series cannot be processed: {refusal.message}"
            ) from refusal


def _at_engine(action: Callable[[], object]) -> None:
    """Call the engine while a person waits for the answer."""
    try:
        action()
    except EngineUnavailable as error:
        raise NotPossible("engine-away", f"{error}; try again when it can be reached") from error
    except EngineRefused as refusal:
        raise NotPossible(refusal.failure.code, refusal.failure.message) from refusal

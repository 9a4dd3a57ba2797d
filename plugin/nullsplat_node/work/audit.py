# SPDX-License-Identifier: AGPL-3.0-or-later
"""The audit log: what happened to which series when, and who asked for it, one JSON line for each change of state.

Lines hold Orthanc's identifiers, keys, hashes and codes, never patient data nor UIDs. They go into a separate file
if one is named, else into Orthanc's log behind `PREFIX`. A file is reopened for each line, so that logrotate may
rename it at any time.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import Callable, Dict, Iterator, List, Mapping, Optional

from nullsplat_node.archive.archive import Archive
from nullsplat_node.archive.state_store import StateStore
from nullsplat_node.lifecycle.reasons import FAILURES, reason_of
from nullsplat_node.lifecycle.state import (
    CANCELLED,
    DONE,
    FAILED,
    HELD,
    INELIGIBLE,
    PENDING,
    RESULT,
    ROUTING,
    RUNNING,
    SUCCEEDED,
    UNDELIVERED,
    SeriesState,
)
from nullsplat_node.work.context import Log

PREFIX = "NullSplat audit: "
FILE_VARIABLE = "NULLSPLAT_AUDIT_FILE"
"""Environment variable that names a file for the lines; unset, they go into Orthanc's log."""
NODE = "node"
"""The actor of automatic changes."""
FIGURES = {"config": "config_hash", "model": "model_hash"}
"""Hashes out of the engine's report."""

_WHAT = {
    INELIGIBLE: "refused",
    PENDING: "requested",
    RUNNING: "started",
    SUCCEEDED: "finished",
    FAILED: "failed",
    CANCELLED: "cancelled",
}

_SENT_BY_A_PERSON = {UNDELIVERED: "resent", HELD: "passed-on"}

_who: "ContextVar[str]" = ContextVar("who", default=NODE)

Entry = Dict[str, object]
Write = Callable[[Entry], None]


@contextmanager
def acting(user: str) -> Iterator[None]:
    """Attribute the lines written meanwhile in this thread to a user of Orthanc, or to `person` without one."""
    token = _who.set(f"user {user}" if user else "person")
    try:
        yield
    finally:
        _who.reset(token)


def writer(log: Log, environment: Mapping[str, str]) -> Write:
    """Return the function that writes a line to the file that the environment names, or to Orthanc's log.

    Raises:
        OSError: the file cannot be written.
    """
    path = environment.get(FILE_VARIABLE, "")
    if not path:
        return lambda entry: log.warning(PREFIX + json.dumps(entry))
    os.close(_open(path))

    def write(entry: Entry) -> None:
        try:
            _append(path, json.dumps(entry).encode() + b"\n")
        except OSError as error:
            log.error(
                f"NullSplat: the audit file {path} cannot be written ({error.strerror}); the line follows"
            )
            log.warning(PREFIX + json.dumps(entry))

    return write


class AuditedStore(StateStore):
    """The state store, with an audit line for each change.

    Args:
        write: writes a line.
    """

    def __init__(self, archive: Archive, clock: Callable[[], float], write: Write) -> None:
        super().__init__(archive, clock)
        self._time = clock
        self._write = write

    def replace(self, series: str, before: Optional[SeriesState], after: SeriesState) -> bool:
        """Write a new state, as `StateStore.replace`; what was written is audited."""
        replaced = super().replace(series, before, after)
        if replaced:
            for entry in entries(series, before, after):
                self.note(entry)
        return replaced

    def note(self, entry: Entry) -> None:
        """Write a line with the time and the actor."""
        moment = datetime.fromtimestamp(self._time(), timezone.utc).isoformat(timespec="milliseconds")
        self._write({"time": moment, "who": _who.get(), **entry})


def entries(series: str, before: Optional[SeriesState], after: SeriesState) -> List[Entry]:
    """Return the lines for a change of state, apart from time and actor."""
    found = [{"what": what, **_facts(series, after)} for what in _steps(before, after)]
    old = {(route.destination, route.series): route.phase for route in before.routes} if before else {}
    for route in after.routes:
        if route.settled and old.get((route.destination, route.series)) != route.phase:
            sent = {"modality": route.what} if route.what else {}
            found.append(
                {"what": route.phase, "destination": route.destination, **sent, **_facts(series, after)}
            )
    return found


def _steps(before: Optional[SeriesState], after: SeriesState) -> List[str]:
    earlier = before.phase if before else ""
    same_job = before is not None and before.key == after.key
    if same_job and _priority(before) != _priority(after):
        return ["moved"]
    if same_job and earlier == FAILED and after.phase == RUNNING:
        return ["released"]
    if earlier in _SENT_BY_A_PERSON and after.phase == ROUTING:
        return [_SENT_BY_A_PERSON[earlier]]
    if after.phase in (ROUTING, DONE, HELD, UNDELIVERED):
        held = ["held"] if after.phase == HELD else []
        return ["stored", *held] if earlier == SUCCEEDED else []
    if after.phase == RESULT or (
        earlier == after.phase and same_job and before and before.code == after.code
    ):
        return []
    return [_WHAT.get(after.phase, after.phase)]


def _priority(state: Optional[SeriesState]) -> object:
    return ((state and state.request) or {}).get("priority", "normal")


def _facts(series: str, state: SeriesState) -> Entry:
    request = state.request or {}
    facts: Entry = {"series": series, "job": state.key, "attempt": state.attempt}
    facts["input"] = request.get("fingerprint", "")
    report = state.result.report if state.result else {}
    facts.update({name: _hash(report.get(figure)) for name, figure in FIGURES.items()})
    if state.phase in (FAILED, INELIGIBLE):
        facts["code"] = reason_of(state.code, FAILURES)
    return {name: value for name, value in facts.items() if value}


def _hash(value: object) -> str:
    """Return the value if it is a hash: nothing else of the engine's report is quoted."""
    return value if isinstance(value, str) and re.fullmatch("[0-9a-f]{1,64}", value) else ""


def _open(path: str) -> int:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _close_to_others(path, file)
    except BaseException:
        os.close(file)
        raise
    return file


def _close_to_others(path: str, file: int) -> None:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or not found.st_mode & 0o077:
        return
    if found.st_uid != os.geteuid():
        raise PermissionError(
            errno.EACCES,
            f"it is open to other users (mode {stat.S_IMODE(found.st_mode):04o}) and belongs to another one; chown it to "
            "Orthanc's user or chmod it to 0600",
            path,
        )
    os.fchmod(file, 0o600)


def _append(path: str, line: bytes) -> None:
    file = _open(path)
    try:
        if os.write(file, line) < len(line):
            os.write(file, b"\n")  # the disk is full: the next line must at least not continue a torn one
            raise OSError(0, "only part of the line was written")
        os.fsync(file)
    finally:
        os.close(file)

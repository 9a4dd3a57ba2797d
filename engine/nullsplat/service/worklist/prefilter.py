"""What of a search the database can do, so that few jobs must be made workitems to be compared."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from pydicom.datadict import tag_for_keyword

from nullsplat.service.database.tables import jobs, workitem_names
from nullsplat.service.worklist.matching import Key, Path, Query
from nullsplat.service.worklist.moments import span
from nullsplat.service.worklist.naming import PRIORITY_OF, STATES, key_of


def conditions(query: Query) -> list[sa.ColumnElement[bool]]:
    """True of every job whose workitem is meant, and perhaps of others; of jobs joined with the names of workitems."""
    return [_IN_SQL[key.path](key.wanted) for key in query.keys if _is_plain(key)]


def _is_plain(key: Key) -> bool:
    return key.path in _IN_SQL and key.wanted != "" and not set("*?,\\") & set(key.wanted)


def _tags(*keywords: str) -> Path:
    return tuple(int(tag_for_keyword(keyword) or 0) for keyword in keywords)


def _of_uid(uid: str) -> sa.ColumnElement[bool]:
    named, key = workitem_names.c.uid, key_of(uid)
    return sa.or_(named == uid, sa.and_(named.is_(None), jobs.c.key == (key or "")))


def _of_state(shown: str) -> sa.ColumnElement[bool]:
    return jobs.c.state.in_([state for state, name in STATES.items() if name == shown])


def _of_priority(shown: str) -> sa.ColumnElement[bool]:
    asked = sa.func.coalesce(jobs.c.request["priority"].as_string(), "normal")
    return asked == PRIORITY_OF.get(shown, "")


def _of_study(uid: str) -> sa.ColumnElement[bool]:
    return sa.and_(jobs.c.request["study_instance_uid"].as_string() == uid)


def _of_series(uid: str) -> sa.ColumnElement[bool]:
    return sa.and_(jobs.c.request["series_instance_uid"].as_string() == uid)


def _within(moment: sa.ColumnElement[Any], wanted: str) -> sa.ColumnElement[bool]:
    begin, end = span(wanted)
    return sa.and_(moment >= begin, moment < end)


_IN_SQL: dict[Path, Callable[[str], sa.ColumnElement[bool]]] = {
    _tags("ProcedureStepState"): _of_state,
    _tags("ScheduledProcedureStepPriority"): _of_priority,
    _tags("SOPInstanceUID"): _of_uid,
    _tags("ScheduledProcedureStepStartDateTime"): lambda wanted: _within(jobs.c.created_at, wanted),
    _tags("ScheduledProcedureStepModificationDateTime"): lambda wanted: _within(jobs.c.updated_at, wanted),
    _tags("StudyInstanceUID"): _of_study,
    _tags("InputInformationSequence", "StudyInstanceUID"): _of_study,
    _tags("InputInformationSequence", "SeriesInstanceUID"): _of_series,
    **dict.fromkeys([_tags("PatientID"), _tags("PatientName")], lambda _wanted: sa.false()),
}

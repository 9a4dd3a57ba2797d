"""Who hears of which workitems: the subscription states of PS3.4 CC.2.3, in the database, so that they outlive every process.

A subscription to all workitems, or to those that a filter accepts, is one row. Whether it covers a workitem is decided when something
happens to that: so it costs nothing when jobs are made, and a filter may only ask for what never changes during a workitem's life.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import sqlalchemy as sa
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from sqlalchemy.dialects import postgresql, sqlite

from nullsplat.core.errors import InputError, NotNow
from nullsplat.service.database.tables import subscriptions, transaction, utc
from nullsplat.service.queue.events import ALL, EVERYTHING, SUBSCRIBED, note
from nullsplat.service.queue.jobs import Job
from nullsplat.service.worklist.content import workitem
from nullsplat.service.worklist.matching import query_in
from nullsplat.service.worklist.worklist import Worklist

FILTERED = f"{EVERYTHING}.1"
"""UPS Filtered Global Subscription SOP Instance."""
WELL_KNOWN = (EVERYTHING, FILTERED)

MOST_SUBSCRIBERS = 100
MOST_EACH = 1000
"""Subscriptions of one subscriber."""
FILTER_LENGTH = 1024

_TITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")
_CHANGING = tuple(
    tag_for_keyword(keyword)
    for keyword in (
        "ProcedureStepState", "ScheduledProcedureStepPriority", "ScheduledProcedureStepModificationDateTime",
        "ExpectedCompletionDateTime", "ProcedureStepProgressInformationSequence",
        "UnifiedProcedureStepPerformedProcedureSequence",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Subscription:
    """One row.

    Attributes:
        target: a job's key, or one of `WELL_KNOWN`.
        filter: in the form of a search's parameters; empty but for a filtered one.
        deletion_lock: whether the rows of jobs are to be kept.
        subscribed: False for a job that is excepted from a subscription to all.
        until: the jobs that are made after it are not meant; None where all are.
    """

    subscriber: str
    target: str
    filter: str = ""
    deletion_lock: bool = False
    subscribed: bool = True
    until: datetime | None = None

    def covers(self, job: Job, uid: str) -> bool:
        """Whether this one, not of a single job, includes a job, whose workitem is `uid`."""
        if self.target not in WELL_KNOWN or (
            self.until is not None and utc(job.created_at) >= utc(self.until)
        ):
            return False
        return not self.filter or query_in(parse_qsl(self.filter)).accepts(
            workitem(job, uid, performed=False)
        )


def is_subscribed(mine: Iterable[Subscription], job: Job, uid: str) -> bool:
    """Whether a subscriber hears of a job; what was said of that job alone counts more than what was said of all.

    Args:
        mine: all of one subscriber.
        job: the job.
        uid: of its workitem.
    """
    mine = list(mine)
    own = next((one for one in mine if one.target == job.key), None)
    return own.subscribed if own is not None else any(one.covers(job, uid) for one in mine)


def checked_title(given: str) -> str:
    """An AE title without the spaces around it.

    Raises:
        InputError: it is none (PS3.5, 6.2).
    """
    title = given.strip(" ")
    if not _TITLE.fullmatch(title):
        raise InputError(
            "the subscriber must be an AE title: 1 to 16 printable ASCII characters without backslash (PS3.5, 6.2)"
        )
    return title


def checked_filter(parameters: Iterable[tuple[str, str]]) -> str:
    """A filter as it is kept.

    Args:
        parameters: attributes and what they must match, as in a search.

    Raises:
        InputError: there is none, it is longer than `FILTER_LENGTH`, malformed, or about what changes during a workitem's life.
    """
    given = list(parameters)
    query = query_in(given)
    if not query.keys or len(query.keys) < len(given):
        raise InputError(
            "a filtered subscription needs a filter of attributes, such as filter=WorklistLabel=NullSplat"
        )
    changing = [keyword_for_tag(key.path[0]) for key in query.keys if key.path[0] in _CHANGING]
    if changing:
        raise InputError(
            f"a filter may only be about what stays as it is during a workitem's life, which {changing[0]} does not; "
            "leave it out, and pick from the reports"
        )
    kept = urlencode(sorted(given))
    if len(kept) > FILTER_LENGTH:
        raise InputError(
            f"a filter may have at most {FILTER_LENGTH} characters in the form of a URL, this has {len(kept)}"
        )
    return kept


class Subscriptions:
    """Every method raises:
    StorageError: the database does not answer.
    """

    def __init__(self, worklist: Worklist) -> None:
        """Subscribe to the workitems of `worklist`."""
        self._worklist = worklist
        self._engine = worklist.queue.store.engine

    def of(self, subscribers: Collection[str]) -> dict[str, list[Subscription]]:
        """All subscriptions of some subscribers."""
        rows = sa.select(subscriptions).where(subscriptions.c.subscriber.in_(subscribers))
        found: dict[str, list[Subscription]] = {subscriber: [] for subscriber in subscribers}
        with transaction(self._engine) as connection:
            for row in connection.execute(rows):
                found[row.subscriber].append(Subscription(**row._mapping))
        return found

    def subscribe(self, subscriber: str, key: str, *, lock: bool) -> None:
        """Subscribe to one job, with or without deletion lock; its present state is reported.

        Raises:
            NotNow: there are too many.
        """
        with transaction(self._engine) as connection:
            _put(connection, Subscription(subscriber, key, deletion_lock=lock))
            note(connection, key, SUBSCRIBED, subscriber)

    def subscribe_to_all(self, subscriber: str, *, lock: bool) -> None:
        """Subscribe to every job that is there and that will be; with deletion lock, the present state of each is reported.

        Raises:
            NotNow: there are too many.
        """
        excepted = subscriptions.c.subscriber == subscriber, subscriptions.c.subscribed.is_(False)
        with transaction(self._engine) as connection:
            _put(connection, Subscription(subscriber, EVERYTHING, deletion_lock=lock))
            connection.execute(sa.delete(subscriptions).where(*excepted))
            if lock:
                note(connection, ALL, SUBSCRIBED, subscriber)

    def subscribe_to_some(self, subscriber: str, kept_filter: str) -> None:
        """Subscribe to every job, there or to come, that a filter of `checked_filter` accepts; without deletion lock.

        Raises:
            NotNow: there are too many.
        """
        mine = Subscription(subscriber, FILTERED, kept_filter)
        excepted = [one.target for one in self.of([subscriber])[subscriber] if not one.subscribed]
        found = self._worklist.jobs(excepted)
        meant = [key for key, (job, uid) in found.items() if mine.covers(job, uid)]
        with transaction(self._engine) as connection:
            _put(connection, mine)
            connection.execute(sa.delete(subscriptions).where(*_of(subscriber), _target().in_(meant)))

    def unsubscribe(self, subscriber: str, key: str) -> bool:
        """Unsubscribe from one job; False if there was no subscription to it."""
        job, uid = self._worklist.jobs([key])[key]
        mine = self.of([subscriber])[subscriber]
        if not is_subscribed(mine, job, uid):
            return False
        with transaction(self._engine) as connection:
            if any(one.covers(job, uid) for one in mine):
                _put(connection, Subscription(subscriber, key, subscribed=False))
            else:
                connection.execute(sa.delete(subscriptions).where(*_of(subscriber), _target() == key))
        return True

    def unsubscribe_from_all(self, subscriber: str, target: str) -> bool:
        """End a subscription to all, and with it every other of the subscriber; or its filtered ones. False if there was none."""
        which = [] if target == EVERYTHING else [_target() == target]
        with transaction(self._engine) as connection:
            return connection.execute(sa.delete(subscriptions).where(*_of(subscriber), *which)).rowcount > 0

    def suspend(self, subscriber: str, target: str) -> bool:
        """Leave the jobs that are made from now on out of a subscription to all, or of the filtered ones; False if there was none."""
        meant = *_of(subscriber), _target() == target, subscriptions.c.until.is_(None)
        with transaction(self._engine) as connection:
            statement = sa.update(subscriptions).where(*meant).values(until=datetime.now(UTC))
            return connection.execute(statement).rowcount > 0


def _target() -> sa.ColumnElement[str]:
    return subscriptions.c.target


def _of(subscriber: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (subscriptions.c.subscriber == subscriber,)


def _put(connection: sa.Connection, given: Subscription) -> None:
    """Add a row, or put it in place of the one for the same."""
    _refuse_too_many(connection, given.subscriber)
    values: dict[str, Any] = vars(given)
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    changed = {name: values[name] for name in ("deletion_lock", "subscribed", "until")}
    statement = insert(subscriptions).values(values)
    keys = subscriptions.primary_key.columns
    connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=changed))


def _refuse_too_many(connection: sa.Connection, subscriber: str) -> None:
    mine = sa.select(sa.func.count()).select_from(subscriptions).where(*_of(subscriber))
    others = sa.select(sa.func.count(subscriptions.c.subscriber.distinct()))
    own = connection.execute(mine).scalar_one()
    if own >= MOST_EACH or (not own and connection.execute(others).scalar_one() >= MOST_SUBSCRIBERS):
        raise NotNow(
            "too-many-subscriptions",
            f"there may be {MOST_SUBSCRIBERS} subscribers with {MOST_EACH} subscriptions each, and one more was asked for; "
            f"unsubscribe those that are not needed: DELETE /workitems/{EVERYTHING}/subscribers/... ends all of one",
        )

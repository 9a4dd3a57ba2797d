"""Figures about the jobs, counted in the database that API and workers share."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from nullsplat.service.contract.messages import STAGES, STATES
from nullsplat.service.database import jobs, transaction
from nullsplat.service.jobs import OPEN, utc
from nullsplat.service.reasons import OTHER, known_reasons, reason_of
from nullsplat.service.waiting_line import PRIORITIES

BOUNDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0)
"""Upper bounds of the histograms, seconds: from a small series' fetching to the longest stage that is allowed."""
OVERLAP = timedelta(minutes=10)
"""How much later than its own time a row may become visible: transactions take time, and machines' clocks differ."""


def jobs_by_state(connection: sa.Connection) -> dict[str, int]:
    """How many jobs are in each state."""
    rows = connection.execute(sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state))
    return dict.fromkeys(STATES, 0) | {state: int(count) for state, count in rows}


def queued_by_priority(connection: sa.Connection) -> dict[str, int]:
    """How many queued jobs there are of each priority."""
    priority = jobs.c.request["priority"].as_string()
    rows = connection.execute(sa.select(priority).where(jobs.c.state == "queued"))
    return dict.fromkeys(PRIORITIES, 0) | Counter(row[0] or "normal" for row in rows)


def oldest_queued_seconds(connection: sa.Connection) -> float:
    """How long the queued job has waited that has waited for longest; 0 when none is queued."""
    first = connection.execute(
        sa.select(jobs.c.created_at).where(jobs.c.state == "queued").order_by(jobs.c.created_at).limit(1)
    ).scalar_one_or_none()
    return 0.0 if first is None else max(0.0, (datetime.now(UTC) - utc(first)).total_seconds())


class Histogram:
    """How many values lie below each of `BOUNDS`, and their sum."""

    def __init__(self) -> None:
        self.total = 0.0
        self._counts = [0] * (len(BOUNDS) + 1)

    def add(self, value: float) -> None:
        """Count a value."""
        self.total += value
        self._counts[sum(value > bound for bound in BOUNDS)] += 1

    def buckets(self) -> list[tuple[str, float]]:
        """Bound and number of values up to it, the last one without bound."""
        names = [*(str(bound) for bound in BOUNDS), "+Inf"]
        return [(name, float(sum(self._counts[: place + 1]))) for place, name in enumerate(names)]


class FinishedJobs:
    """Adds up the records of jobs that are over, each once; a look costs only what ended since the last one.

    A row changes once its job is over only if a person releases it, and what is added up is the same in every process.

    Attributes:
        stages: seconds of each stage that was done.
        whole: seconds from the request to the end of the jobs that succeeded.
        failures: how many jobs failed, by reason.
    """

    def __init__(self) -> None:
        self.stages = {stage: Histogram() for stage in STAGES}
        self.whole = Histogram()
        self._known = known_reasons()
        # All from the start: Prometheus takes no notice of a counter's first value.
        self.failures: Counter[str] = Counter(dict.fromkeys((*self._known, OTHER), 0))
        self._counted: dict[str, datetime] = {}
        self._since = datetime.fromtimestamp(0, UTC)

    def read(self, connection: sa.Connection) -> None:
        """Add what ended since the last time."""
        columns = (
            jobs.c.key,
            jobs.c.state,
            jobs.c.stages,
            jobs.c.failure,
            jobs.c.created_at,
            jobs.c.updated_at,
        )
        over = sa.select(*columns).where(jobs.c.state.not_in(OPEN), jobs.c.updated_at >= self._since)
        for row in connection.execute(over.execution_options(yield_per=500)):
            # A job that failed may have been released, and ends once more.
            if self._counted.get(row.key) != utc(row.updated_at):
                self._counted[row.key] = utc(row.updated_at)
                self._add(row)
        self._forget_old()

    def _add(self, row: Any) -> None:
        self._add_stages(row.stages)
        if row.state == "succeeded":
            self.whole.add((utc(row.updated_at) - utc(row.created_at)).total_seconds())
        elif row.state == "failed":
            self.failures[reason_of((row.failure or {}).get("code"), self._known)] += 1

    def _add_stages(self, stages: Sequence[Mapping[str, Any]]) -> None:
        for stage in stages:
            if stage["state"] == "done" and "seconds" in stage:
                self.stages[stage["name"]].add(float(stage["seconds"]))

    def _forget_old(self) -> None:
        if not self._counted:
            return
        self._since = max(self._counted.values()) - OVERLAP
        self._counted = {key: ended for key, ended in self._counted.items() if ended >= self._since}


def read_all(engine: sa.Engine, finished: FinishedJobs) -> tuple[dict[str, int], dict[str, int], float]:
    """Jobs by state, queued jobs by priority and age of the oldest, at one moment; brings `finished` up to date.

    Raises:
        StorageError: the database does not answer.
    """
    with transaction(engine) as connection:
        finished.read(connection)
        return jobs_by_state(connection), queued_by_priority(connection), oldest_queued_seconds(connection)

"""Job statistics: queued and running jobs are looked up, finished ones were counted when they ended."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from nullsplat.service.contract.messages import STATES
from nullsplat.service.database.job_counts import Tallied, read
from nullsplat.service.database.tables import jobs, transaction, utc
from nullsplat.service.error_codes import OTHER, known_reasons, reason_of
from nullsplat.service.queue.jobs import OPEN, count_jobs
from nullsplat.service.queue.priorities import PRIORITIES


@dataclass(frozen=True)
class JobFigures:
    """All jobs.

    Attributes:
        states: how many are in each state.
        priorities: how many queued ones have each priority.
        oldest: age in seconds of the job that has been queued for longest; 0 when none is.
        failures: how many failed, by reason out of a closed set; all present from the start, since Prometheus ignores
            a counter's first value.
        tallied: the histograms.
    """

    states: dict[str, int]
    priorities: dict[str, int]
    oldest: float
    failures: dict[str, int]
    tallied: Tallied


def job_figures(engine: sa.Engine) -> JobFigures:
    """The current statistics.

    Raises:
        StorageError: the database does not answer.
    """
    with transaction(engine) as connection:
        tallied = read(connection)
        waiting = {state: count_jobs(connection, state) for state in OPEN}
        priorities, oldest = _queued_by_priority(connection), _oldest_queued_seconds(connection)
    states = dict.fromkeys(STATES, 0) | tallied.states | waiting
    return JobFigures(states, priorities, oldest, _by_reason(tallied.failures), tallied)


def _queued_by_priority(connection: sa.Connection) -> dict[str, int]:
    priority = jobs.c.request["priority"].as_string()
    query = sa.select(priority, sa.func.count()).where(jobs.c.state == "queued").group_by(priority)
    counts: Counter[str] = Counter()
    for name, count in connection.execute(query):
        counts[name or "normal"] += int(count)
    return dict.fromkeys(PRIORITIES, 0) | counts


def _oldest_queued_seconds(connection: sa.Connection) -> float:
    first = connection.execute(
        sa.select(jobs.c.created_at).where(jobs.c.state == "queued").order_by(jobs.c.created_at).limit(1)
    ).scalar_one_or_none()
    return 0.0 if first is None else max(0.0, (datetime.now(UTC) - utc(first)).total_seconds())


def _by_reason(codes: dict[str, int]) -> dict[str, int]:
    known = known_reasons()
    counts = Counter(dict.fromkeys((*known, OTHER), 0))
    for code, count in codes.items():
        counts[reason_of(code, known)] += count
    return dict(counts)

"""Counts of ended jobs, updated in the transaction that ends them, so that reading costs the same after years.

Counts outlive the jobs' rows, so only those of jobs by state ever decrease.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from nullsplat.service.contract.messages import STAGES
from nullsplat.service.database.tables import tallies, utc

BOUNDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0)
"""Upper bounds of the histograms, seconds: from a small series' fetching to the longest stage that is allowed."""
STATE, FAILURE, WHOLE, SUM = "state", "failure", "job", "seconds"
"""Names of tallies: jobs by state, failures by code, the histogram of whole jobs, and the sums by histogram."""
LABEL = 64

Tally = tuple[str, str]
"""Name and label: for a histogram, its name and the place of the bucket."""


def of_job(row: Any) -> Mapping[Tally, float]:
    """The increments for an ended job.

    Args:
        row: its state, stages, failure, created_at and updated_at.
    """
    counted: Counter[Tally] = Counter()
    counted[STATE, row.state] = 1
    for stage in row.stages:
        if stage["state"] == "done" and "seconds" in stage:
            counted.update(_of_seconds(stage["name"], float(stage["seconds"])))
    if row.state == "succeeded":
        counted.update(_of_seconds(WHOLE, (utc(row.updated_at) - utc(row.created_at)).total_seconds()))
    elif row.state == "failed":
        counted[FAILURE, str((row.failure or {}).get("code"))[:LABEL]] += 1
    return counted


def _of_seconds(histogram: str, seconds: float) -> Counter[Tally]:
    place = sum(seconds > bound for bound in BOUNDS)
    return Counter({(histogram, str(place)): 1, (SUM, histogram): seconds})


def add(connection: sa.Connection, counted: Mapping[Tally, float]) -> None:
    """Add to the tallies, within the caller's transaction."""
    if not counted:
        return
    # In the same order everywhere, to avoid deadlocks.
    rows = [
        {"name": name, "label": label, "value": value} for (name, label), value in sorted(counted.items())
    ]
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(tallies).values(rows)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[tallies.c.name, tallies.c.label],
            set_={"value": tallies.c.value + statement.excluded.value},
        )
    )


class Histogram:
    """How many values lie below each of `BOUNDS`, and their sum."""

    def __init__(self, known: Mapping[Tally, float], name: str) -> None:
        self.total = known.get((SUM, name), 0.0)
        self._counts = [known.get((name, str(place)), 0.0) for place in range(len(BOUNDS) + 1)]

    def buckets(self) -> list[tuple[str, float]]:
        """Bound and number of values up to it, the last one without bound."""
        names = [*(str(bound) for bound in BOUNDS), "+Inf"]
        return [(name, sum(self._counts[: place + 1])) for place, name in enumerate(names)]


@dataclass(frozen=True)
class Tallied:
    """All that is counted.

    Attributes:
        states: jobs that are over and still known, by state.
        failures: by code.
        stages: seconds of each stage that was done.
        whole: seconds from the request to the end of the jobs that succeeded.
    """

    states: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    stages: dict[str, Histogram] = field(default_factory=dict)
    whole: Histogram = field(default_factory=lambda: Histogram({}, WHOLE))


def read(connection: sa.Connection) -> Tallied:
    """What was counted so far."""
    known = {(row.name, row.label): float(row.value) for row in connection.execute(sa.select(tallies))}
    return Tallied(
        {label: int(value) for (name, label), value in known.items() if name == STATE},
        {label: int(value) for (name, label), value in known.items() if name == FAILURE},
        {stage: Histogram(known, stage) for stage in STAGES},
        Histogram(known, WHOLE),
    )

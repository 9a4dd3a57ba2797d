"""The jobs as the database knows them; every change of state is one guarded statement."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from nullsplat.service.contract.messages import STAGES
from nullsplat.service.database.dbos_tables import TAKEN, workflow_status
from nullsplat.service.database.job_counts import STATE, add, of_job
from nullsplat.service.database.tables import jobs, now, transaction, turns, utc
from nullsplat.service.queue.events import PROGRESS, note
from nullsplat.service.queue.priorities import Place

Stage = dict[str, Any]
Failure = dict[str, Any]
OPEN = ("queued", "running")


@dataclass(frozen=True)
class Job:
    """One row: a job_status of the contract, except that its timestamps are not text yet."""

    key: str
    state: str
    request: dict[str, Any]
    stages: list[Stage]
    progress: float
    eta_seconds: float | None
    storing: bool
    failure: Failure | None
    result: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime

    def status(self, place: Place | None = None) -> dict[str, Any]:
        """The job_status message of the contract.

        Args:
            place: in the queue, where it is known.
        """
        status: dict[str, Any] = {
            "key": self.key,
            "state": self.state,
            "request": self.request,
            "stages": [_shown(stage, self.state) for stage in self.stages],
            "progress": self.progress,
            "created_at": _text(self.created_at),
            "updated_at": _text(self.updated_at),
        }
        if self.state in OPEN or self.state == "succeeded":
            status["eta_seconds"] = 0.0 if self.state == "succeeded" else self.eta_seconds
        if self.state == "queued" and place is not None:
            status["waiting"] = {"position": place.position, "priority": place.priority}
        if self.failure is not None:
            status["failure"] = self.failure
        if self.result is not None and self.state == "succeeded":
            status["result"] = self.result
        return status


def waiting_stages() -> list[Stage]:
    """The stages of a job that has not started."""
    return [{"name": name, "state": "waiting", "progress": 0.0} for name in STAGES]


class JobStore:
    """Reads and changes jobs.

    Every method raises:
        StorageError: the database does not answer.
    """

    def __init__(self, engine: sa.Engine, holder: str | None = None) -> None:
        """Change jobs.

        Args:
            engine: the database.
            holder: name of the worker in whose name running jobs are changed: only those that it still holds. A worker
                that was presumed dead after a long silence cannot interfere with its successor.
        """
        self.engine = engine
        self._holder = holder

    def get(self, key: str) -> Job | None:
        """The job called `key`, or None."""
        with transaction(self.engine) as connection:
            row = connection.execute(sa.select(jobs).where(jobs.c.key == key)).one_or_none()
        return None if row is None else Job(**row._mapping)

    def newest(self, state: str | None, limit: int) -> list[Job]:
        """The newest jobs, in any state or in one."""
        query = sa.select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.key.desc()).limit(limit)
        if state is not None:
            query = query.where(jobs.c.state == state)
        with transaction(self.engine) as connection:
            return [Job(**row._mapping) for row in connection.execute(query)]

    def count(self, state: str) -> int:
        """How many jobs are in `state`."""
        with transaction(self.engine) as connection:
            return count_jobs(connection, state)

    def recent_stages(self, preset: str, limit: int = 20) -> list[list[Stage]]:
        """The stages of the last jobs that succeeded with `preset`, newest first."""
        query = (
            sa.select(jobs.c.request, jobs.c.stages)
            .where(jobs.c.state == "succeeded")
            .order_by(jobs.c.updated_at.desc())
            .limit(limit * 3)
        )
        with transaction(self.engine) as connection:
            rows = connection.execute(query).all()
        return [row.stages for row in rows if row.request["parameters"]["preset"] == preset][:limit]

    def begin(self, key: str) -> bool:
        """Mark the job as running; False if it may not run."""
        return self._update(key, ("queued",), state="running") or self._update(key, ("running",))

    def take(self, key: str) -> int | None:
        """The number of the caller's turn at a running job, higher than any before; None if it may not run.

        It is the time in seconds, unless that is not higher: so it is also higher than what a database that was lost, or is
        newer than the restored backup, gave out.
        """
        mine = turns.c.key == key
        with transaction(self.engine) as connection:
            if not self._changed(connection, key, ("running",)):
                return None
            before = connection.execute(sa.select(turns.c.number).where(mine)).scalar_one_or_none() or 0
            number = max(before + 1, int(now(connection)))
            connection.execute(sa.delete(turns).where(mine))
            connection.execute(sa.insert(turns).values(key=key, number=number))
        return number

    def report(self, key: str, stages: list[Stage], progress: float, eta_seconds: float | None) -> bool:
        """Store the progress of a running job; False if it must stop."""
        return self._update(key, ("running",), stages=stages, progress=progress, eta_seconds=eta_seconds)

    def keep_result(self, key: str, result: dict[str, Any]) -> bool:
        """Remember the result of a job that is nearly over: its files may be gone when it ends."""
        return self._update(key, ("running",), result=result)

    def begin_storing(self, key: str) -> bool:
        """Pass the point of no return, after which a job cannot be cancelled; False if it was cancelled before."""
        return self._update(key, ("running",), storing=True)

    def succeed(self, key: str, result: dict[str, Any]) -> bool:
        """Finish a job with its result."""
        return self._end(key, ("running",), state="succeeded", result=result, progress=1.0, eta_seconds=0.0)

    def fail(self, key: str, failure: Failure) -> bool:
        """Mark a job as failed."""
        return self._end(key, OPEN, state="failed", failure=failure, eta_seconds=None)

    def cancel(self, key: str) -> bool:
        """Cancel a job that is queued or running; False if it is too late for that."""
        return self._end(key, OPEN, jobs.c.storing.is_(False), state="cancelled", eta_seconds=None)

    def _update(
        self, key: str, states: tuple[str, ...], *guards: sa.ColumnElement[bool], **values: Any
    ) -> bool:
        with transaction(self.engine) as connection:
            return self._changed(connection, key, states, *guards, **values)

    def _end(self, key: str, states: tuple[str, ...], *guards: sa.ColumnElement[bool], **values: Any) -> bool:
        """Write the job's terminal state, and count it."""
        over = sa.select(jobs.c.state, jobs.c.stages, jobs.c.failure, jobs.c.created_at, jobs.c.updated_at)
        with transaction(self.engine) as connection:
            done = self._changed(connection, key, states, *guards, **values)
            if done:
                add(connection, of_job(connection.execute(over.where(jobs.c.key == key)).one()))
        return done

    def _changed(
        self,
        connection: sa.Connection,
        key: str,
        states: tuple[str, ...],
        *guards: sa.ColumnElement[bool],
        **values: Any,
    ) -> bool:
        statement = (
            sa.update(jobs)
            .where(jobs.c.key == key, jobs.c.state.in_(states), *guards, *self._held(key))
            .values(updated_at=datetime.now(UTC), **values)
        )
        done = connection.execute(statement).rowcount == 1
        if done and ("state" in values or "progress" in values):
            note(connection, key, values.get("state", PROGRESS))
        return done

    def _held(self, key: str) -> tuple[sa.ColumnElement[bool], ...]:
        if self._holder is None:
            return ()
        row = workflow_status(self.engine.dialect)
        mine = sa.select(row.c.workflow_uuid).where(
            row.c.workflow_uuid == key, row.c.status == TAKEN, row.c.executor_id == self._holder
        )
        return (mine.exists(),)


def reset_job(connection: sa.Connection, key: str) -> bool:
    """Re-queue a failed job of which nothing was stored, within the caller's transaction; False if it is not such a job."""
    failed = (jobs.c.key == key, jobs.c.state == "failed", jobs.c.storing.is_(False))
    fresh = {
        "state": "queued",
        "stages": waiting_stages(),
        "progress": 0.0,
        "eta_seconds": None,
        "failure": None,
        "result": None,
    }
    statement = sa.update(jobs).where(*failed).values(updated_at=datetime.now(UTC), **fresh)
    done = connection.execute(statement).rowcount == 1
    if done:
        note(connection, key, "queued")
        add(connection, {(STATE, "failed"): -1})
    return done


def count_jobs(connection: sa.Connection, state: str) -> int:
    """How many jobs are in `state`."""
    query = sa.select(sa.func.count()).select_from(jobs).where(jobs.c.state == state)
    return int(connection.execute(query).scalar_one())


def insert_job(connection: sa.Connection, key: str, request: dict[str, Any]) -> None:
    """Add a queued job within the caller's transaction."""
    moment = datetime.now(UTC)
    row = {"key": key, "state": "queued", "request": request, "stages": waiting_stages()}
    connection.execute(sa.insert(jobs).values(**row, created_at=moment, updated_at=moment))
    note(connection, key, "queued")


def _shown(stage: Stage, state: str) -> Stage:
    """A stage as clients see it: once a job is over, none of its stages is running."""
    if stage["state"] != "running" or state in OPEN:
        return stage
    return {**stage, "state": "failed" if state == "failed" else "waiting"}


def _text(moment: datetime) -> str:
    return utc(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")

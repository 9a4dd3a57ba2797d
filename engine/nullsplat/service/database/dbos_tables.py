"""The tables of DBOS that are read and changed directly, because its interface does not offer what is done here.

All that depends on the tables of DBOS 3.4.0 is in this module and in what imports it; with another version, check
these facts again (dbos/_schemas/system_database.py and dbos/_sys_db.py):

- `workflow_status` holds one row for each workflow. A queued one has status ENQUEUED, one that a worker took has PENDING
  and that worker's name as `executor_id`, in any other state it has ended.
- Workers take ENQUEUED rows of their queue by `priority`, then by `created_at` (milliseconds), the lowest first, each
  with one guarded statement; so a row may be given another priority as long as it is ENQUEUED.
- A worker re-reads its queue's row in `queues` before each poll; with `worker_concurrency` 0 it takes nothing.
- What a workflow did and what it was given lies in the tables of `PAYLOADS`, without foreign keys.
"""

import sqlalchemy as sa

QUEUED, TAKEN = "ENQUEUED", "PENDING"
PAYLOADS = ("workflow_input", "workflow_output", "operation_outputs")
_STATUS = (
    "workflow_uuid", "status", "name", "queue_name", "executor_id", "priority", "created_at", "application_version",
)  # fmt: skip
_SCHEMA = "dbos"
"""Where DBOS keeps its tables in PostgreSQL; SQLite has no schemas."""


def workflow_status(dialect: sa.Dialect) -> sa.TableClause:
    """Workflows, one row each."""
    return _table(dialect, "workflow_status", *_STATUS)


def queued(status: sa.TableClause) -> tuple[sa.ColumnElement[bool], ...]:
    """Condition of queued rows, written so that both databases use DBOS' partial index of open workflows.

    SQLite uses a partial index only if its condition appears literally in the query, without parameters.
    """
    return _in_flight(status), status.c.status == sa.literal_column(f"'{QUEUED}'")


def taken(status: sa.TableClause) -> tuple[sa.ColumnElement[bool], ...]:
    """Condition of rows that a worker took, written likewise."""
    return (status.c.status == sa.literal_column(f"'{TAKEN}'"),)


def _in_flight(status: sa.TableClause) -> sa.ColumnElement[bool]:
    return status.c.status.in_([sa.literal_column(f"'{QUEUED}'"), sa.literal_column(f"'{TAKEN}'")])


def queues(dialect: sa.Dialect) -> sa.TableClause:
    """Queues, one row each."""
    return _table(dialect, "queues", "name", "worker_concurrency", "polling_interval_sec")


def forget_workflow(connection: sa.Connection, key: str) -> bool:
    """Delete a workflow that is over, with all that belongs to it, in the caller's transaction; False if it is not over."""
    status = workflow_status(connection.dialect)
    row = sa.select(status.c.status).where(status.c.workflow_uuid == key).with_for_update()
    if connection.execute(row).scalar_one_or_none() in (QUEUED, TAKEN):
        return False
    for name in (*PAYLOADS, "workflow_status"):
        table = _table(connection.dialect, name, "workflow_uuid")
        connection.execute(sa.delete(table).where(table.c.workflow_uuid == key))
    return True


def _table(dialect: sa.Dialect, name: str, *columns: str) -> sa.TableClause:
    schema = _SCHEMA if dialect.name == "postgresql" else None
    return sa.table(name, *(sa.column(column) for column in columns), schema=schema)

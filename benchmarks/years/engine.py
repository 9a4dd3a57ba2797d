"""What the engine's calls cost after years: a database with very many jobs, made up as the code writes them.

python benchmarks/years/engine.py --jobs 500000 --waiting 2000 --slices 100
python benchmarks/years/engine.py --jobs 500000 --database postgresql://user:password@host/empty
"""

import argparse
import hashlib
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.testclient import TestClient

from nullsplat.service.api.server import application
from nullsplat.service.audit.log import AuditLog
from nullsplat.service.contract.messages import STAGES, job_key
from nullsplat.service.database.schema import open_database
from nullsplat.service.database.tables import jobs, schema_version, tallies, transaction
from nullsplat.service.queue.jobs import JobStore, waiting_stages
from nullsplat.service.queue.priorities import PriorityQueue
from nullsplat.service.queue.queue import JobQueue
from nullsplat.service.queue.retention import BATCH as BATCH_OF_PURGE
from nullsplat.service.queue.retention import Retention
from nullsplat.service.queue.workers import Registry
from nullsplat.service.settings import Settings
from nullsplat.service.worker.recovery import Recovery

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
from rows import Row, table, timed  # noqa: E402
from tests.support.service.fast_processing import FastProcessing  # noqa: E402

SECRET = "a-secret-for-the-benchmark"  # noqa: S105 - of a server that nobody else reaches
BATCH = 2000
MINUTES = 3
"""Between two jobs."""
PURGED = 2000


def request(number: int) -> dict[str, Any]:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return {
        "study_instance_uid": f"2.25.{int(digest[:24], 16)}",
        "series_instance_uid": f"2.25.{int(digest[24:48], 16)}",
        "fingerprint": digest,
        "attempt": 1,
        "parameters": {"preset": "preview", "scale": [3, 1, 1], "seed": 0, "samples": 1},
        "priority": "normal",
    }


def finished(number: int, slices: int) -> dict[str, Any]:
    wanted, begun = request(number), datetime(2023, 1, 1, tzinfo=UTC) + timedelta(minutes=MINUTES * number)
    failed = number % 50 == 0
    result = {
        "study_instance_uid": wanted["study_instance_uid"],
        "series_instance_uid": f"2.25.{number}",
        "sop_instance_uids": [f"2.25.{number}{place:032d}" for place in range(slices)],
        "further_series": [],
        "report": {"lr_consistency_rmse_hu": 1.0, "config_hash": "0" * 64, "model_hash": "0" * 64},
    }
    return {
        "key": job_key(wanted),
        "state": "failed" if failed else "succeeded",
        "request": wanted,
        "stages": [
            {"name": name, "state": "done", "progress": 1.0, "seconds": 12.3, "peak_memory_mib": 900.0}
            for name in STAGES
        ],
        "progress": 1.0,
        "eta_seconds": 0.0,
        "storing": True,
        "failure": {"code": "storage", "message": "full", "retryable": True} if failed else None,
        "result": None if failed else result,
        "created_at": begun,
        "updated_at": begun + timedelta(minutes=5),
    }


def fill(engine: sa.Engine, count: int, waiting: int, slices: int) -> None:
    for start in range(0, count, BATCH):
        with transaction(engine) as connection:
            rows = [finished(number, slices) for number in range(start, min(count, start + BATCH))]
            connection.execute(sa.insert(jobs), rows)
    queue = JobQueue(engine)
    for number in range(count, count + waiting):
        queue.submit(job_key(request(number)), request(number))
    queue.close()
    _workflows_of_the_others(engine)


def _workflows_of_the_others(engine: sa.Engine) -> None:
    """A copy of a waiting job's workflow for each job that is over, as done."""
    place = "dbos." if engine.dialect.name == "postgresql" else ""
    columns = [
        column["name"] for column in sa.inspect(engine).get_columns("workflow_status", place[:-1] or None)
    ]
    changed = {"workflow_uuid": "j.key", "status": "'SUCCESS'"}
    chosen = ", ".join(changed.get(name, f"w.{name}") for name in columns)
    statement = (
        f"INSERT INTO {place}workflow_status ({', '.join(columns)}) SELECT {chosen} FROM nullsplat_jobs j, "  # noqa: S608
        f"(SELECT * FROM {place}workflow_status LIMIT 1) w WHERE j.state IN ('succeeded', 'failed')"
    )
    with transaction(engine) as connection:
        connection.execute(sa.text(statement))
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))


def once(name: str, action: Any) -> tuple[Any, str]:
    begun = time.perf_counter()
    answer = action()
    return answer, f"{name}: {time.perf_counter() - begun:.1f} s"


def calls(settings: Settings, count: int, waiting: int) -> list[Row]:
    last, news = job_key(request(count + waiting - 1)), iter(range(count + waiting, count + waiting + 99))
    headers = {"Authorization": f"Bearer {SECRET}"}
    with (
        application(settings, FastProcessing(settings.spool / "control")) as app,
        TestClient(app, headers=headers) as client,
    ):

        def get(path: str) -> None:
            assert client.get(path).status_code in (200, 503), path

        def put() -> None:
            wanted = request(next(news))
            assert client.put(f"/v1/jobs/{job_key(wanted)}", json=wanted).status_code == 201

        import nullsplat.service.api.metrics as figures  # noqa: PLC0415

        figures.FRESH = 0.0
        paths = (
            "/metrics",
            f"/v1/jobs/{last}",
            "/v1/jobs",
            "/v1/jobs?state=failed",
            "/v1/jobs?state=queued",
            "/v1/engine",
        )
        found = [
            timed(f"GET {path.replace(last, '{last in line}')}", lambda path=path: get(path))
            for path in paths
        ]
        found.append(timed("PUT /v1/jobs/{new}", put))
    return found


def workers_calls(engine: sa.Engine, spool: Path, count: int) -> list[Row]:
    store = JobStore(engine)
    retention, line = Retention(engine), PriorityQueue(engine)
    recovery = Recovery(engine, Registry(engine), AuditLog(spool, "bench"), 0.0)
    key = job_key(request(count))
    store.begin(key)
    found = [
        timed("recent_stages (each stage of each job)", lambda: store.recent_stages("preview")),
        timed("report of progress", lambda: store.report(key, waiting_stages(), 0.5, None)),
        timed("workflows of dead workers (each sweep)", recovery._take_over),
        timed("workflows of other versions (each sweep)", recovery._drop_other_versions),
        timed("jobs without a workflow (each sweep)", recovery._restart_lost),
        timed("jobs whose workflow ended by itself (each sweep)", recovery._fail_given_up),
        timed("ageing (each sweep)", lambda: line.age(1e9)),
        timed("purge with nothing to do", lambda: retention.purge(datetime(2020, 1, 1, tzinfo=UTC))),
    ]  # fmt: skip
    until = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(minutes=MINUTES * PURGED + 5)
    found.append(
        timed(f"purge of {PURGED} jobs, each batch of {BATCH_OF_PURGE}", lambda: retention.purge(until), repeats=1,
              calls=PURGED // BATCH_OF_PURGE)
    )  # fmt: skip
    retention.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=500_000)
    parser.add_argument("--waiting", type=int, default=2000)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--database", default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            archive_url="http://127.0.0.1:9/dicom-web", secret=SECRET, spool=Path(folder), spool_reserve_mib=0,
            device="cpu", database_url=asked.database, requests_per_second=0,
        )  # fmt: skip
        settings.prepare_spool()
        engine = open_database(settings.database)
        _, filling = once("filled in", lambda: fill(engine, asked.jobs, asked.waiting, asked.slices))
        with transaction(engine) as connection:  # as an earlier version left it, so that the step is timed
            connection.execute(sa.delete(schema_version))
            connection.execute(sa.delete(tallies))
            for table_ in (schema_version, tallies):
                table_.drop(connection)
            for index in jobs.indexes:
                index.drop(connection)
        engine.dispose()
        engine, bringing = once("brought from schema 1 to 2 in", lambda: open_database(settings.database))
        engine.dispose()
        engine, opening = once("opened in", lambda: open_database(settings.database))
        rows = calls(settings, asked.jobs, asked.waiting) + workers_calls(engine, settings.spool, asked.jobs)
        engine.dispose()
        shape = f"{asked.jobs} jobs that are over x {asked.slices} slices, {asked.waiting} waiting; "
        print(table(f"{engine.dialect.name}; {shape}{filling}; {bringing}; {opening}", rows))


if __name__ == "__main__":
    main()

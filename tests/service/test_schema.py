"""A database that an earlier version made goes on with everything in it; one that a later version made is refused."""

import re
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.service.postgres import PostgresServer, binaries

from nullsplat.core.errors import ConfigurationError
from nullsplat.service.api.job_statistics import job_figures
from nullsplat.service.database.schema import VERSION, open_database, version_of
from nullsplat.service.database.tables import jobs, metadata, schema_version, tallies, transaction
from nullsplat.service.queue.jobs import JobStore
from nullsplat.service.queue.priorities import PriorityQueue
from nullsplat.service.queue.queue import JobQueue
from nullsplat.service.worklist.matching import query_in
from nullsplat.service.worklist.naming import uid_of
from nullsplat.service.worklist.order import Order
from nullsplat.service.worklist.worklist import Worklist

SCHEMAS = Path(__file__).parent / "schema"
RELEASED = sorted(int(re.sub(r"\D", "", path.stem.split("-")[0])) for path in SCHEMAS.glob("v*-sqlite.sql"))


def sqlite_of(version: int, folder: Path) -> str:
    with sqlite3.connect(folder / "old.sqlite") as old:
        old.executescript((SCHEMAS / f"v{version}-sqlite.sql").read_text())
    old.close()
    return f"sqlite:///{folder / 'old.sqlite'}"


def postgresql_of(version: int, server: PostgresServer) -> str:
    url = server.url()
    dump = SCHEMAS / f"v{version}-postgresql.sql"
    command = [str(binaries() / "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-f", str(dump), url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        url = sqlite_of(RELEASED[-1], tmp_path)
    else:
        url = postgresql_of(RELEASED[-1], request.getfixturevalue("postgres"))
    engine = open_database(url)
    yield engine
    engine.dispose()


def test_every_released_schema_but_the_present_one_has_a_dump() -> None:
    assert list(range(1, VERSION)) == RELEASED


def test_a_released_database_goes_on_with_everything_in_it(released: sa.Engine) -> None:
    states = {job.state for job in JobStore(released).newest(None, 100)}
    assert states == {"queued", "running", "succeeded", "failed", "cancelled"}
    figures = job_figures(released)
    assert figures.states == dict.fromkeys(states, 1)
    assert figures.failures["storage"] == 1
    assert figures.tallied.stages["fetch"].total == 2.0
    assert figures.tallied.whole.buckets()[-1][1] == 1
    assert {place.position for place in PriorityQueue(released).places().values()} >= {1}
    with transaction(released) as connection:
        assert version_of(connection) == VERSION


def test_a_released_schema_becomes_the_present_one(released: sa.Engine) -> None:
    inspector = sa.inspect(released)
    for table in metadata.sorted_tables:
        assert {column["name"] for column in inspector.get_columns(table.name)} == set(table.c.keys())
        assert {index["name"] for index in inspector.get_indexes(table.name)} == {
            index.name for index in table.indexes
        }


def test_the_jobs_of_a_released_database_are_workitems_and_new_ones_may_have_other_uids(
    released: sa.Engine,
) -> None:
    queue = JobQueue(released)
    worklist = Worklist(queue)
    found, more = worklist.search(query_in([]))
    states = sorted(one.ProcedureStepState for one in found)
    assert (states, more) == (["CANCELED", "CANCELED", "COMPLETED", "IN PROGRESS", "SCHEDULED"], False)
    job = queue.store.newest("cancelled", 1)[0]
    assert worklist.workitem(uid_of(job.key)).ProcedureStepState == "CANCELED"
    order = Order({**job.request, "attempt": 1000}, any_attempt=False, uid="2.25.4711")
    assert worklist.create(order)[1:] == ("2.25.4711", True)
    assert worklist.job("2.25.4711") is not None
    queue.close()


def test_opening_twice_counts_nothing_twice(released: sa.Engine) -> None:
    before = job_figures(released).states
    open_database(released.url.render_as_string(hide_password=False)).dispose()
    assert job_figures(released).states == before


def test_a_schema_of_a_later_version_is_refused_in_words_and_left_alone(released: sa.Engine) -> None:
    with transaction(released) as connection:
        connection.execute(sa.update(schema_version).values(version=VERSION + 1))
        connection.execute(sa.delete(tallies))
    with pytest.raises(ConfigurationError, match=f"has schema {VERSION + 1}, made by a later version"):
        open_database(released.url.render_as_string(hide_password=False))
    with transaction(released) as connection:
        assert connection.execute(sa.select(tallies)).all() == []
        assert connection.execute(sa.select(sa.func.count()).select_from(jobs)).scalar_one() == 5

"""Event reports where everything is somewhere else: PostgreSQL, two API processes and a worker, which only share the database."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.service.engine import SECRET, Engine, serving
from tests.support.service.fast_processing import FastProcessing
from tests.support.service.postgres import PostgresServer
from tests.support.service.ups_client import UpsClient, value
from tests.support.service.ups_watcher import (
    ALL,
    EVENT,
    INSTANCE,
    PROGRESS_REPORT,
    is_state,
    said,
    subscribe,
    watching,
)

from nullsplat.service.api.server import application
from nullsplat.service.api.ups.channels import POLL
from nullsplat.service.settings import Settings

Request = Callable[..., dict[str, Any]]
A = "WATCHER"
SLACK = 1.5
"""Seconds for whatever a busy machine adds."""


@pytest.fixture
def database_url(postgres: PostgresServer) -> str:
    return postgres.url()


@pytest.fixture
def clients(engine: Engine, settings: Settings, tmp_path: Path) -> Iterator[tuple[UpsClient, UpsClient]]:
    """Of two API processes on one database."""
    with application(settings, FastProcessing(tmp_path / "control")) as app, serving(app) as url:
        yield UpsClient(str(engine.client.base_url).rstrip("/"), SECRET), UpsClient(url, SECRET)


def uid_of(key: str) -> str:
    return f"2.25.{int(key, 16)}"


def test_one_process_reports_what_a_worker_elsewhere_does_with_what_another_accepted(
    engine: Engine, clients: tuple[UpsClient, UpsClient], request_for: Request
) -> None:
    here, elsewhere = clients
    with watching(elsewhere, A) as watcher:
        assert subscribe(here, ALL, A).status == 201
        uid = uid_of(engine.put(request_for()))
        engine.start_worker()
        found = watcher.until(is_state(uid, "COMPLETED"))
    assert said(found, uid) == ["SCHEDULED", "IN PROGRESS", "COMPLETED"]
    assert {value(one, INSTANCE) for one in found} == {uid}
    assert any(value(one, EVENT) == PROGRESS_REPORT for one in found)


def test_a_job_that_changes_workers_is_reported_in_progress_once(
    engine: Engine, clients: tuple[UpsClient, UpsClient], request_for: Request
) -> None:
    here, elsewhere = clients
    with watching(elsewhere, A) as watcher:
        subscribe(here, ALL, A)
        engine.hold("stage1")
        key = engine.put(request_for())
        first = engine.start_worker()
        engine.wait_for_stage(key, "stage1", "running")
        engine.end(first)
        engine.release("stage1")
        engine.start_worker()
        found = watcher.until(is_state(uid_of(key), "COMPLETED"))
    assert said(found, uid_of(key)) == ["SCHEDULED", "IN PROGRESS", "COMPLETED"]


def test_a_report_comes_within_the_time_between_two_looks_at_the_database(
    engine: Engine, clients: tuple[UpsClient, UpsClient], request_for: Request
) -> None:
    here, elsewhere = clients
    with watching(elsewhere, A) as watcher:
        subscribe(here, ALL, A)
        delays = []
        for attempt in range(1, 6):
            begun = time.monotonic()
            engine.put(request_for(attempt))
            watcher.next()
            delays.append(time.monotonic() - begun)
    assert max(delays) < POLL + SLACK, delays


def test_no_change_is_lost_between_subscribing_and_the_first_report(
    engine: Engine, clients: tuple[UpsClient, UpsClient], request_for: Request
) -> None:
    """Subscribed and cancelled at once, whichever is first: the last report tells the last state."""
    here, elsewhere = clients
    with watching(elsewhere, A) as watcher, ThreadPoolExecutor(2) as pool:
        for attempt in range(1, 13):
            uid = uid_of(engine.put(request_for(attempt)))
            subscribed = pool.submit(subscribe, elsewhere, uid, A)
            cancelled = pool.submit(here.cancel, uid)
            assert (subscribed.result().status, cancelled.result().status) == (201, 202)
            watcher.until(is_state(uid, "CANCELED"))

"""What the simulated node does with single series whose course can be told by hand."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nullsplat.planning import line, simulation
from nullsplat.planning.notation import DAY, HOUR
from nullsplat.planning.outcome import outcome_of
from nullsplat.planning.site import Jobs, Site, make_site
from nullsplat.planning.trace import Trace
from nullsplat.service.settings import Settings
from nullsplat.service.worker import process, workflow
from nullsplat_node.lifecycle.transitions import RetryPolicy

ROOT = Path(__file__).resolve().parents[2]


def site_of(**values: Any) -> Site:
    calm = {"workers": {"days_between_failures": 0}, "jobs": {"failing": 0}}
    stream = [{"priority": name, "share": 1 / 3} for name in ("stat", "normal", "night")]
    return make_site({"stream": stream} | calm | values, "the test")


def trace_of(*series: tuple[float, int], seconds: float = 100.0, lasting: float = 30 * DAY) -> Trace:
    """Series by arrival and stream, with six equal stages."""
    due, stream = np.array([at for at, _ in series], float), np.array([which for _, which in series])
    stages = np.full((len(series), 6), seconds / 6)
    return Trace(due, stream, stages, np.full(len(series), 0.5), lasting)


@pytest.fixture
def failing_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes all workers fail at these moments and never again."""

    def set_up(*moments: float) -> None:
        gaps = iter([*np.diff([0.0, *moments]), *[1e12] * 9])
        monkeypatch.setattr(simulation.random.Random, "expovariate", lambda *_: next(gaps))

    return set_up


def test_urgent_series_go_first_and_begun_ones_are_finished() -> None:
    trace = trace_of((0, 1), (1, 2), (2, 1), (3, 0))
    course = simulation.simulate(trace, site_of(), 1, pickup=0.0)
    assert course.ended == pytest.approx([100, 400, 300, 200])
    assert course.busy == pytest.approx(400)


def test_a_series_that_lost_its_worker_goes_on_after_the_last_finished_stage(failing_at: Any) -> None:
    failing_at(60.0)
    site = site_of(workers={"days_between_failures": 1, "restart": "40s", "noticed": "10s"})
    course = simulation.simulate(trace_of((0, 1), seconds=120), site, 1, pickup=0.0)
    # Two and a bit of six stages of 20 s were done at 50 s; here exactly three at 60 s.
    assert course.ended == pytest.approx([60 + 40 + 60])
    failing_at(50.0)
    course = simulation.simulate(trace_of((0, 1), seconds=120), site, 1, pickup=0.0)
    assert course.ended == pytest.approx([50 + 40 + 80])


def test_another_worker_takes_over_as_soon_as_the_loss_is_noticed(failing_at: Any) -> None:
    failing_at(60.0, 1e9)
    site = site_of(workers={"days_between_failures": 1, "restart": "1h", "noticed": "10s"})
    monitored = simulation.simulate(trace_of((0, 1), seconds=120), site, 2, pickup=0.0)
    assert monitored.ended == pytest.approx([60 + 10 + 60])


def test_a_series_that_loses_its_worker_too_often_is_given_up(failing_at: Any) -> None:
    failing_at(*(50.0 + 200 * n for n in range(workflow.MAX_ATTEMPTS)))
    site = site_of(workers={"days_between_failures": 1, "restart": "195s", "noticed": "10s"})
    trace = trace_of((0, 1), seconds=3000)
    course = simulation.simulate(trace, site, 1, pickup=0.0)
    assert np.isnan(course.ended).all()
    assert outcome_of(course, trace, site, 1).given_up == 1


def test_nobody_works_during_maintenance_and_nothing_is_lost_by_it() -> None:
    site = site_of(workers={"days_between_failures": 0, "maintenance": "mon 00:01-02:00"})
    course = simulation.simulate(trace_of((0, 1), (10, 1), seconds=120), site, 2, pickup=0.0)
    # Three of six stages were done after 60 s, and two of the other's after 50 s; both go on at two o'clock.
    assert course.ended == pytest.approx([2 * HOUR + 60, 2 * HOUR + 80])
    later = simulation.simulate(trace_of((HOUR, 1)), site, 2, pickup=0.0)
    assert later.began == pytest.approx([2 * HOUR])


def test_a_failed_attempt_is_restarted_after_a_while() -> None:
    site = site_of(jobs={"failing": 0.6, "retry": "1m", "attempts": 2})
    trace = trace_of((0, 1))  # its luck, 0.5, lets it fail after 5/6 of its work
    ends = {simulation.simulate(trace, site, 1, seed, pickup=0.0).ended[0] for seed in range(20)}
    assert {round(end) for end in ends if not np.isnan(end)} == {83 + 60 + 100}
    assert any(np.isnan(ends_at) for ends_at in ends), "a second failure is the last one"


def test_more_workers_never_make_anybody_wait_longer_when_nothing_fails() -> None:
    random = np.random.default_rng(1)
    arrivals = np.sort(random.uniform(0, 4000, 60))
    trace = trace_of(*((float(at), 1) for at in arrivals))
    waits = [simulation.simulate(trace, site_of(), n, pickup=0.0).began for n in (1, 2, 4)]
    assert (waits[0] >= waits[1]).all()
    assert (waits[1] >= waits[2]).all()
    assert (waits[0] > waits[2]).any()


def test_a_series_without_result_is_late_and_not_left_out() -> None:
    site = make_site({"stream": [{"priority": "stat", "share": 1, "within": "10m"}]}, "the test")
    trace = trace_of(*((float(n), 0) for n in range(1000)), seconds=4 * DAY)
    outcome = outcome_of(simulation.simulate(trace, site, 1), trace, site, 1)
    (stream,) = outcome.streams
    assert stream.series == 1000
    assert stream.in_time is not None
    assert stream.in_time.share == 0
    assert stream.result[2] == float("inf")
    assert json.loads(json.dumps(outcome.as_dict()))["streams"][0]["result"][2] is None


def test_what_is_assumed_of_the_node_is_what_the_node_does() -> None:
    jobs = Jobs()
    assert workflow.MAX_ATTEMPTS == simulation.MAX_ATTEMPTS
    assert process.RECOVERY_INTERVAL == line.RECOVERY_INTERVAL
    assert jobs.ageing_seconds == Settings.model_fields["ageing_seconds"].default
    assert jobs.attempts == RetryPolicy().max_attempts
    stable = re.search(r'"StableAge"\s*:\s*(\d+)', (ROOT / "orthanc-config/orthanc.json").read_text())
    assert stable is not None
    assert jobs.before == f"{int(stable[1]) // 60}m"

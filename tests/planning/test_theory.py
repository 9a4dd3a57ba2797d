"""The simulation against what queueing theory knows in closed form."""

from math import factorial

import numpy as np
import pytest

from nullsplat.planning.job_times import JobTimes
from nullsplat.planning.outcome import BATCH
from nullsplat.planning.simulation import simulate
from nullsplat.planning.site import Site, make_site
from nullsplat.planning.trace import Trace, make_trace

SECONDS = 3600.0
"""Long jobs, so that a year has few of them and the test is quick."""


def site_of(per_day: float, *streams: dict[str, object]) -> Site:
    """Arrivals at the same rate at all times, and nothing that goes wrong or ages."""
    values = {
        "series_per_day": per_day,
        "weekdays": [1] * 7,
        "hours": [1] * 24,
        "stream": list(streams) or [{"priority": "normal", "share": 1}],
        "workers": {"days_between_failures": 0},
        "jobs": {"failing": 0, "ageing_seconds": 0},
    }
    return make_site(values, "the test")


def jobs_of(variation: float) -> JobTimes:
    return JobTimes(np.array([[0, SECONDS / 2, SECONDS / 2, 0, 0, 0]]), variation, "the test")


def mean_wait(trace: Trace, site: Site, workers: int, stream: int = 0) -> tuple[float, float]:
    """Mean wait of a stream in seconds, and its standard error from batches of four weeks."""
    course = simulate(trace, site, workers, pickup=0.0)
    known = (trace.stream == stream) & ~np.isnan(course.began)
    waits, batch = (course.began - trace.due)[known], (trace.due[known] // BATCH).astype(int)
    means = [waits[batch == one].mean() for one in np.unique(batch)]
    return float(np.mean(waits)), float(np.std(means, ddof=1) / np.sqrt(len(means)))


def erlang_wait(workers: int, load: float) -> float:
    """Mean wait of an M/M/c queue. Source: Gross et al., Fundamentals of Queueing Theory, 2008, eq. 2.33 and 2.38."""
    last = load**workers / factorial(workers) * workers / (workers - load)
    waits = last / (sum(load**n / factorial(n) for n in range(workers)) + last)
    return waits * SECONDS / (workers - load)


@pytest.mark.parametrize(("workers", "use"), [(1, 0.6), (3, 0.8)])
def test_waits_are_those_of_erlang(workers: int, use: float) -> None:
    site = site_of(24 * workers * use)
    trace = make_trace(site, jobs_of(1.0), years=4, seed=3)
    wait, error = mean_wait(trace, site, workers)
    expected = erlang_wait(workers, workers * use)
    assert error < 0.08 * expected, "the interval must be able to tell"
    assert wait == pytest.approx(expected, abs=3 * error)


def test_urgent_series_wait_as_in_a_queue_with_priorities() -> None:
    """One worker, which finishes what it began. Source: Cobham, Operations Research 2 (1954) 70."""
    shares, use, variation = (0.3, 0.7), 0.7, 0.5
    site = site_of(
        24 * use,
        *({"priority": name, "share": share} for name, share in zip(("stat", "normal"), shares, strict=True)),
    )
    trace = make_trace(site, jobs_of(variation), years=4, seed=1)
    residual = use * SECONDS * (1 + variation**2) / 2
    urgent = use * shares[0]
    for stream, expected in enumerate((residual / (1 - urgent), residual / ((1 - urgent) * (1 - use)))):
        wait, error = mean_wait(trace, site, 1, stream)
        assert error < 0.08 * expected
        assert wait == pytest.approx(expected, abs=3 * error)

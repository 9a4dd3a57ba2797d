"""`nullsplat plan` against the node: the same jobs, through its queue and through the simulation."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from tests.support.service.engine import Engine, wait_for

from nullsplat.planning.job_times import measured
from nullsplat.planning.simulation import simulate
from nullsplat.planning.site import make_site
from nullsplat.planning.trace import Trace

PRIORITIES = ("stat", "normal", "night")
JOBS, WORKERS = 32, 2
PICKUP = 0.15
"""Seconds from one job's last stage to the next one's first: the workers of the tests look every 0.05 s."""


def moment(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


def test_simulated_waits_are_those_of_the_node(
    engine: Engine, request_for: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Jobs of known length come in three priorities, faster than two workers do them, then slower.

    Stage times are those that the node measured, as a site would hand them in. What the node does between two stages is not
    among them; it delays everybody, so waits agree within a fifth of their mean and a second, and the order does exactly
    as far as jobs do not come at nearly the same time.
    """
    random = np.random.default_rng(4)
    engine.pace()
    for _ in range(WORKERS):
        engine.start_worker(NULLSPLAT_AGEING_SECONDS="0")
    wait_for(lambda: engine.worker_log.count("is ready") == WORKERS, what="the workers")
    keys = []
    for number in range(JOBS):
        priority = PRIORITIES[int(random.integers(3))]
        keys.append(engine.put(request_for(number + 1, priority, seed=int(random.integers(200, 1200)))))
        time.sleep(random.uniform(0.0, 0.25))
    for key in keys:
        engine.wait(key, "succeeded")
    answer = engine.client.get("/v1/jobs", params={"state": "succeeded", "limit": 1000}).json()
    (tmp_path / "jobs.json").write_text(json.dumps(answer))

    jobs = answer["jobs"]
    stages = measured(tmp_path / "jobs.json").stages
    created = np.array([moment(job["created_at"]) for job in jobs])
    order = np.argsort(created)
    stream = np.array([PRIORITIES.index(job["request"]["priority"]) for job in jobs])
    began = np.array([moment(job["updated_at"]) for job in jobs]) - stages.sum(axis=1)
    real = (began - created)[order]

    site = make_site(
        {
            "stream": [{"priority": name, "share": 1 / 3} for name in PRIORITIES],
            "workers": {"days_between_failures": 0},
            "jobs": {"failing": 0, "ageing_seconds": 0},
        },
        "the test",
    )
    trace = Trace((created - created.min())[order], stream[order], stages[order], np.ones(JOBS), 3600.0)
    course = simulate(trace, site, WORKERS, pickup=PICKUP)
    simulated = course.began - trace.due

    assert real.mean() > 1.0, "somebody must have waited"
    for number, name in enumerate(PRIORITIES):
        chosen = trace.stream == number
        print(name, chosen.sum(), real[chosen].mean(), simulated[chosen].mean())  # noqa: T201 - shown on failure
        assert abs(real[chosen].mean() - simulated[chosen].mean()) < 0.2 * real.mean() + 1.0, name
    assert np.corrcoef(real, simulated)[0, 1] > 0.95

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
JOBS, WAITING, WORKERS = 32, 20, 2


def moment(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


def test_simulated_waits_are_those_of_the_node(
    engine: Engine, request_for: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Jobs of known length in three priorities: most wait already when two workers begin, the others come meanwhile.

    Stage times are those that the node measured, as a site would hand them in. What it does between two jobs and between two
    stages is not among them; on a machine that other tests use as well that can be anything, so it is taken from how long the
    run lasted: one number for all jobs. With it, mean waits agree within a tenth of the longest, and single ones correlate.
    """
    random = np.random.default_rng(4)
    engine.pace()
    engine.post("/v1/queue/pause")
    for _ in range(WORKERS):
        engine.start_worker(NULLSPLAT_AGEING_SECONDS="0")
    wait_for(lambda: engine.worker_log.count("is ready") == WORKERS, what="the workers")
    requests = [
        request_for(number + 1, PRIORITIES[int(random.integers(3))], seed=int(random.integers(200, 1200)))
        for number in range(JOBS)
    ]
    keys = [engine.put(request) for request in requests[:WAITING]]
    engine.post("/v1/queue/resume")
    opened = time.time()
    for request in requests[WAITING:]:
        keys.append(engine.put(request))
        time.sleep(random.uniform(0.0, 0.4))
    for key in keys:
        engine.wait(key, "succeeded")
    answer = engine.client.get("/v1/jobs", params={"state": "succeeded", "limit": 1000}).json()
    (tmp_path / "jobs.json").write_text(json.dumps(answer))

    jobs = answer["jobs"]
    stages = measured(tmp_path / "jobs.json").stages
    created = np.array([moment(job["created_at"]) for job in jobs])
    order, due = np.argsort(created), np.maximum(created, opened)
    stream = np.array([PRIORITIES.index(job["request"]["priority"]) for job in jobs])
    ended = np.array([moment(job["updated_at"]) for job in jobs])
    real = (ended - stages.sum(axis=1) - due)[order]

    site = make_site(
        {
            "stream": [{"priority": name, "share": 1 / 3} for name in PRIORITIES],
            "workers": {"days_between_failures": 0},
            "jobs": {"failing": 0, "ageing_seconds": 0},
        },
        "the test",
    )
    trace = Trace((due - opened)[order], stream[order], stages[order], np.ones(JOBS), 3600.0)
    between = max(0.0, (WORKERS * (ended.max() - opened) - stages.sum()) / JOBS)
    course = simulate(trace, site, WORKERS, pickup=between)
    simulated = course.began - trace.due

    assert real.mean() > 1.0, "somebody must have waited"
    for number, name in enumerate(PRIORITIES):
        chosen = trace.stream == number
        print(name, chosen.sum(), between, real[chosen].mean(), simulated[chosen].mean())  # noqa: T201 - shown on failure
        assert abs(real[chosen].mean() - simulated[chosen].mean()) < 0.1 * real.max() + 0.5, name
    assert np.corrcoef(real, simulated)[0, 1] > 0.9

"""A stage that does not stop is stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.service.engine import Engine, wait_for
from tests.support.service.worker_forge import RESTART

Request = Callable[..., dict[str, Any]]
SHORT = {"NULLSPLAT_STAGE2_LIMIT_SECONDS": "3", "NULLSPLAT_STAGE_STOP_SECONDS": "1"}
"""Also on a busy machine the stage takes less where nothing holds it up."""
WORKER = (
    "import sys; from pathlib import Path; from tests.support.service.fast_processing import FastProcessing; \
from nullsplat.service.settings import Settings; from nullsplat.service.worker.process import run_worker; \
run_worker(Settings(), FastProcessing(Path(sys.argv[1])))"
)


def test_a_stage_that_is_slow_fails_by_name_and_its_worker_goes_on(
    engine: Engine, request_for: Request
) -> None:
    engine.hold("stage2")
    engine.start_worker(**{**SHORT, "NULLSPLAT_STAGE_STOP_SECONDS": "60"})
    failure = engine.wait(engine.put(request_for()), "failed")["failure"]
    assert failure["code"] == "stage-timeout"
    assert "NULLSPLAT_STAGE2_LIMIT_SECONDS" in failure["message"]
    engine.release("stage2")
    engine.wait(engine.put(request_for(attempt=2)), "succeeded")


def test_a_stuck_stage_fails_by_name_and_its_worker_ends(engine: Engine, request_for: Request) -> None:
    engine.control.mkdir(exist_ok=True)
    (engine.control / "stuck-stage2").touch()
    worker = engine.start_worker(**SHORT)
    key = engine.put(request_for())
    status = engine.wait(key, "failed")
    assert status["failure"]["code"] == "stage-timeout"
    assert "was restarted" in status["failure"]["message"]
    assert {stage["name"]: stage["state"] for stage in status["stages"]}["stage2"] == "failed"
    assert engine.wait_for_end(worker) == RESTART
    # The next worker tidies up behind it, and does not touch the job.
    engine.start_worker(**SHORT)
    wait_for(lambda: not engine.has_images(key), what="a clean folder")
    assert engine.status(key)["failure"]["code"] == "stage-timeout"
    assert engine.calls().count("stage2") == 1


def test_a_worker_restarts_in_place_and_takes_the_next_job(
    engine: Engine, request_for: Request, tmp_path: Path
) -> None:
    engine.control.mkdir(exist_ok=True)
    (engine.control / "stuck-stage2").touch()
    command = [sys.executable, "-W", "error", "-c", WORKER, str(engine.control)]
    environment = {
        **os.environ,
        **engine.environment,
        **SHORT,
        "NULLSPLAT_EXECUTOR_ID": "gpu0",
        "OMP_NUM_THREADS": "1",
    }
    with (tmp_path / "real.log").open("wb") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        stuck = engine.put(request_for())
        assert engine.wait(stuck, "failed")["failure"]["code"] == "stage-timeout"
        (engine.control / "stuck-stage2").unlink()
        engine.wait(engine.put(request_for(attempt=2)), "succeeded")
        assert worker.poll() is None  # the same process all along
        assert (tmp_path / "real.log").read_text().count("worker gpu0 is ready") == 2
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0

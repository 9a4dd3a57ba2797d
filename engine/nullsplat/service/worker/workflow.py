"""The durable workflow: which step follows which. What a step does is in `steps.py`."""

from collections.abc import Callable
from typing import Any

from dbos import DBOS, WorkflowSerializationFormat

from nullsplat.service.contract.messages import STAGES
from nullsplat.service.queue.queue import WORKFLOW
from nullsplat.service.worker.steps import StageRunner

MAX_ATTEMPTS = 3
"""Times that a job may lose its worker before it is taken for the cause and given up."""


def register(runner: StageRunner) -> Callable[[str], str]:
    """Make the workflow known to DBOS; once in a worker process, before DBOS is launched.

    Steps return their failures instead of raising them: nothing but small JSON ever enters the database, and a
    workflow that went wrong is still a workflow that was done.
    """

    def run_stage(key: str, stage: str) -> dict[str, Any] | None:
        return runner.run(key, stage)

    def finish(key: str, failure: dict[str, Any] | None) -> str:
        return runner.finish(key, failure)

    @DBOS.workflow(
        name=WORKFLOW,
        max_recovery_attempts=MAX_ATTEMPTS - 1,
        serialization_type=WorkflowSerializationFormat.PORTABLE,
    )
    def super_resolve(key: str) -> str:
        failure = None
        with runner.turn(key):
            for stage in STAGES:
                failure = DBOS.run_step({"name": stage}, run_stage, key, stage)
                if failure is not None:
                    break
            return DBOS.run_step({"name": "finish"}, finish, key, failure)

    return super_resolve

"""An engine whose jobs stand where a test puts them."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.plugin.fake_engine import STAGES, FakeEngine

NOTES = {
    "fetch": "slice 6 of 12",
    "stage1": "view 41 of 100",
    "stage2": "iteration 2100 of 5000",
    "store": "12 of 80 slices",
}


@dataclass
class PacedEngine(FakeEngine):
    """Holds all jobs.

    Attributes:
        pace: how far each job is, 0 to 1, by the Series Instance UID of its source.
    """

    hold: bool = True
    pace: dict[str, float] = field(default_factory=dict)
    checks: dict[str, str] = field(
        default_factory=lambda: dict.fromkeys(("weights", "archive", "spool", "queue", "worker"), "ok")
    )

    def answer(self, method: str, path: str, body: bytes, token: str) -> tuple[int, dict[str, Any]]:
        status, message = super().answer(method, path, body, token)
        if (path == "/v1/engine" or path.startswith("/v1/queue/")) and status == 200:
            message.update(version="0.1.0", model={"name": "xray-prior", "sha256": "7" * 64})
            message["queue"]["running"] = sum(job["state"] == "running" for job in self._jobs.values())
        return status, message

    def _status(self, key: str) -> dict[str, Any]:
        status = super()._status(key)
        progress = self.pace.get(status["request"]["series_instance_uid"], 0.05)
        if status["state"] != "running":
            return status
        current = min(int(progress * len(STAGES)), len(STAGES) - 1)
        for index, stage in enumerate(status["stages"]):
            stage.update(
                state="done" if index < current else "waiting", progress=float(index < current), note=""
            )
        stage = status["stages"][current]
        stage.update(
            state="running", progress=progress * len(STAGES) - current, note=NOTES.get(stage["name"], "")
        )
        return {**status, "progress": progress, "eta_seconds": round(420 * (1 - progress))}

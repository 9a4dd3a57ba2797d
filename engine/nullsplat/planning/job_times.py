"""How long the stages of a job take: measured on the site's own node, stated, or scaled from a preset's figures."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import ConfigurationError, UnreadableFile
from nullsplat.core.preset_facts import MACHINE, PRESET_FACTS
from nullsplat.core.suggestion import did_you_mean
from nullsplat.service.contract.messages import STAGES, fault

FEWEST = 10
"""Of fewer measured jobs nothing can be said about the slow ones."""
VARIATION = 0.3
"""Standard deviation over mean of the time of a job where no job was measured; an assumption."""
FACTS_VOXELS = 128 * 256 * 256
"""Of the volume that the presets' seconds were measured on."""
RESULT = (400, 512, 512)
"""Slices, rows and columns of the result that a job makes where no job was measured: a whole chest."""
OVERHEAD = {"fetch": 4.4, "derive": 5.1, "store": 5.3}
"""Seconds of the stages that do not depend on the preset, for `RESULT`; docs/operations.md, best of two runs."""
_SHARES = {"stage1": 0.88, "stage2": 0.03, "consistency": 0.09}
"""Of the computation of `preview`, only to know where a job that lost its worker goes on."""


@dataclass(frozen=True)
class JobTimes:
    """Seconds of jobs, to be drawn from.

    Attributes:
        stages: one row for each job, one column for each stage in the order of `STAGES`.
        variation: of a job around its row, standard deviation over mean; 0 where rows are measured.
        source: where they come from, for people.
    """

    stages: Float[ndarray, "jobs stages"]
    variation: float
    source: str

    @property
    def mean(self) -> float:
        """Seconds of a job."""
        return float(self.stages.sum(axis=1).mean())

    def draw(self, count: int, random: np.random.Generator) -> Float[ndarray, "count stages"]:
        """The stages of so many jobs: rows drawn with replacement, each varied by a factor with mean 1 (gamma)."""
        rows = self.stages[random.integers(len(self.stages), size=count)]
        if not self.variation:
            return rows
        shape = self.variation**-2
        return rows * random.gamma(shape, 1 / shape, size=(count, 1))


def stated(seconds: float) -> JobTimes:
    """Jobs that take so many seconds on average, overhead included."""
    row = np.array([[_SHARES.get(name, 0.0) * seconds for name in STAGES]])
    return JobTimes(row, VARIATION, f"{seconds:g} s a job, as stated")


def of_preset(preset: str) -> JobTimes:
    """Jobs of a whole chest with the published seconds of a preset.

    Raises:
        ConfigurationError: there is no such preset.
    """
    if preset not in PRESET_FACTS:
        raise ConfigurationError(
            f"preset must be one of {', '.join(PRESET_FACTS)}, got {preset!r}{did_you_mean(preset, PRESET_FACTS)}"
        )
    seconds = PRESET_FACTS[preset].seconds * np.prod(RESULT) / FACTS_VOXELS
    row = [OVERHEAD.get(name, 0.0) + _SHARES.get(name, 0.0) * seconds for name in STAGES]
    size = " x ".join(map(str, RESULT))
    return JobTimes(np.array([row]), VARIATION, f"{preset} on {MACHINE}, result of {size} voxels")


def measured(path: Path) -> JobTimes:
    """The jobs that a node finished, out of what it answers to GET /v1/jobs?state=succeeded&limit=1000.

    Raises:
        UnreadableFile: the file is not there, or not such an answer.
        ConfigurationError: it holds too few jobs that succeeded.
    """
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path} must be the answer to GET /v1/jobs: {error}") from error
    if (wrong := fault("job_list", answer)) is not None:
        raise UnreadableFile(f"{path} must be the answer to GET /v1/jobs: {wrong}")
    rows = [_seconds(job["stages"]) for job in answer["jobs"] if job["state"] == "succeeded"]
    if len(rows) < FEWEST:
        raise ConfigurationError(
            f"{path} must hold {FEWEST} jobs that succeeded, got {len(rows)}; let the node do more, or state --seconds"
        )
    return JobTimes(np.array(rows), 0.0, f"{len(rows)} jobs of {path.name}")


def _seconds(stages: list[dict[str, Any]]) -> list[float]:
    known = {stage["name"]: float(stage.get("seconds", 0.0)) for stage in stages}
    return [known.get(name, 0.0) for name in STAGES]

"""The engine's worker, whose image processing costs nothing: the result is the source, on the source's own grid.

Reading, writing and everything around it is the real thing.
"""

import os
from typing import Any

from nullsplat.core.measure import Cost
from nullsplat.core.progress import Progress
from nullsplat.pipeline.checkpoints import Checkpoints
from nullsplat.service.processing.protocol import Parameters, Source
from nullsplat.service.processing.super_resolution import SuperResolution
from nullsplat.service.settings import Settings
from nullsplat.service.worker.process import run_worker

NOTHING = Cost(0.0, 0.0, 0.0)


class FreeProcessing(SuperResolution):
    """Leaves out the three stages that compute."""

    def run(self, stage: str, work: Any, parameters: Parameters, source: Source, progress: Progress) -> None:
        """Do nothing; the last stage gives the source's voxels out as the result."""
        checkpoints = Checkpoints(work)
        if stage == "consistency" and not (work / "result.npz").exists():
            os.link(work / "source.npz", work / "result.npz")
            checkpoints.keep_report(self._figures())
        checkpoints.mark_done(stage, NOTHING)

    def _figures(self) -> dict[str, Any]:
        zeros = ("lr_consistency_rmse_hu", "lr_consistency_max_hu", "noise_hu", "null_space_rms_hu")
        hashes = {"model_hash": self.model()[1], "config_hash": "0" * 64}
        return {**dict.fromkeys(zeros, 0.0), **hashes, "steps": 0, "stages": {}}


if __name__ == "__main__":
    settings = Settings()
    run_worker(settings, FreeProcessing.of(settings))

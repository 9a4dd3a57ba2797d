"""A whole run in one call, for the command line, evaluation and notebooks."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nullsplat.core.volume import Volume
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.stages import RUNNERS, identity
from nullsplat.pipeline.workspace import Workspace

StageProgress = Callable[[str, float, str], None]
"""Called with (stage, fraction of the stage in [0, 1], note)."""


@dataclass(frozen=True)
class Outcome:
    """What a run gives.

    Attributes:
        volume: super-resolved volume, in HU.
        report: figures of the run, see `stages.run_consistency`.
    """

    volume: Volume
    report: dict[str, Any]


def super_resolve(
    volume: Volume,
    config: PipelineConfig,
    device: torch.device,
    progress: StageProgress,
    folder: Path | None = None,
) -> Outcome:
    """Run both stages and the reality check.

    Args:
        volume: measured volume, in HU.
        config: what to compute, from `configure`.
        device: the processor that does the work.
        progress: told about each stage.
        folder: keeps the files of the run, and takes up what an interrupted run left there; None uses a
            temporary folder.

    Raises:
        GeometryError: the grid cannot be refined as asked.
        WeightsError: the prior is missing or damaged.
        StorageError: the folder cannot be written.
        ConfigurationError: the folder holds another run.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="nullsplat-") as temporary:
            return super_resolve(volume, config, device, progress, Path(temporary))
    ws = Workspace(folder)
    ws.claim(volume, identity(config))
    ws.save_source(volume)
    for stage, run in RUNNERS.items():
        run(ws, config, device, lambda fraction, note="", stage=stage: progress(stage, fraction, note))
    return Outcome(ws.result(), ws.report())

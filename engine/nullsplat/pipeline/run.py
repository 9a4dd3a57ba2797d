"""A whole run in one call, for the command line, evaluation and notebooks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nullsplat.core.console import StageProgress, displayed
from nullsplat.core.device import resolve_device
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.volume import Volume
from nullsplat.pipeline.checkpoints import Checkpoints
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.figures import null_space_volume
from nullsplat.pipeline.stages import RUNNERS, identity
from nullsplat.splat.field.placement import PlacedField


@dataclass(frozen=True, repr=False)
class Result:
    """What a run gives.

    Attributes:
        volume: super-resolved volume, in HU.
        deviation: standard deviation of the samples in HU; None where there is one sample, or the prior makes no
            volumes.
        interval: half width in HU of the interval around each voxel that holds the truth in 90 % of them; None where the
            prior was not calibrated.
        sample: one sample of the prior that the measurement allows, in HU: as sharp and as noisy as a scan, where `volume` is
            their mean and smoother; None where the preset draws none.
        field: the signed Gaussians of stage 2, on the grid of `volume`.
        report: figures of the run, see `stages.run_consistency`.
        source: the measured volume.
        config: what was computed.
        device: where.
    """

    volume: Volume
    deviation: Volume | None
    interval: Volume | None
    sample: Volume | None
    field: PlacedField
    report: dict[str, Any]
    source: Volume
    config: PipelineConfig
    device: torch.device

    def __repr__(self) -> str:
        """In a line: size and agreement with the measurement."""
        slices, rows, columns = self.volume.geometry.shape
        rmse = self.report["lr_consistency_rmse_hu"]
        return f"Result({slices} slices of {rows} x {columns}, LR-consistency {rmse:.1f} HU)"

    def null_space(self) -> Volume:
        """What of the volume no measurement confirms or denies, in HU: its part in the null space, beyond cubic."""
        return null_space_volume(self.volume, self.source, self.config, self.device)


def super_resolve(
    volume: Volume,
    config: PipelineConfig,
    *,
    device: str | torch.device = "auto",
    progress: StageProgress | None = None,
    folder: Path | str | None = None,
) -> Result:
    """Run both stages and the data-consistency step.

    Args:
        volume: measured volume, in HU.
        config: what to compute, from `configure`.
        device: auto (a GPU if there is one), cpu or cuda.
        progress: called with each stage's name, fraction in [0, 1] and a note; None shows bars on a terminal or in a
            notebook.
        folder: keeps the files of the run, and takes up what an interrupted run left there; it also takes less
            memory. None keeps everything in memory.

    Raises:
        ConfigurationError: no volume, no configuration or no such device; or the folder holds another run.
        GeometryError: the grid cannot be refined as asked.
        WeightsError: the prior is missing or damaged.
        StorageError: the folder cannot be written.
    """
    _check(volume, config)
    config, where = config.for_volume(volume), resolve_device(device)
    made = Checkpoints(folder)
    made.claim(volume, identity(config))
    made.keep_source(volume)
    with displayed(progress) as shown:
        for stage, run in RUNNERS.items():
            run(made, config, where, lambda fraction, note="", stage=stage: shown(stage, fraction, note))
    return Result(
        made.result,
        made.deviation,
        made.interval,
        made.sample,
        made.field,
        made.report,
        volume,
        config,
        where,
    )


def _check(volume: object, config: object) -> None:
    if not isinstance(volume, Volume):
        raise ConfigurationError(
            f"a nullsplat.Volume was needed, got {type(volume).__name__}; read one with nullsplat.read(path), "
            "or make one with nullsplat.Volume(hu, nullsplat.Geometry(shape, spacing))"
        )
    if not isinstance(config, PipelineConfig):
        raise ConfigurationError(
            f"a PipelineConfig was needed, got {type(config).__name__}; make one with configure(scale, preset)"
        )

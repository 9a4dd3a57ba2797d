"""What stands behind `import nullsplat as ns`: read a volume, super-resolve it, write the result."""

from dataclasses import dataclass
from pathlib import Path

import torch

from nullsplat.core.console import StageProgress
from nullsplat.core.device import resolve_device
from nullsplat.core.volume import Volume
from nullsplat.io.volumes import read_volume as read
from nullsplat.io.volumes import write_volume as write
from nullsplat.pipeline import run
from nullsplat.pipeline.config import PipelineConfig, configure
from nullsplat.pipeline.presets import PRESETS
from nullsplat.pipeline.run import Result
from nullsplat.pipeline.scale import Scale
from nullsplat.prior.weights import prior_hash

__all__ = ["PRESETS", "Result", "SuperResolver", "read", "super_resolve", "write"]


@dataclass(frozen=True)
class SuperResolver:
    """Settings that are applied to any number of volumes, as a pipeline of diffusers is.

    Attributes:
        config: what is computed.
        device: where.
    """

    config: PipelineConfig
    device: torch.device

    @classmethod
    def from_preset(
        cls,
        preset: str = "preview",
        *,
        scale: Scale = 4,
        samples: int = 1,
        seed: int = 0,
        prior: str | None = None,
        device: str | torch.device = "auto",
    ) -> "SuperResolver":
        """The settings of a preset.

        Args:
            preset: one of `PRESETS`.
            scale: how many times finer: 4 or "z4" for slices alone, "iso2" or (2, 2, 2) for all axes.
            samples: how many are averaged; from 2 on, `Result.deviation` says how far they differ.
            seed: of everything random.
            prior: a packaged name, "none", or the folder of your own prior, instead of the preset's.
            device: auto (a GPU if there is one), cpu or cuda.

        Raises:
            ConfigurationError: an argument that cannot be used.
            WeightsError: there is no such prior.
        """
        config = configure(scale, preset, seed=seed, samples=samples, prior=prior)
        prior_hash(config.prior)
        return cls(config, resolve_device(device))

    def __call__(
        self, volume: Volume, *, progress: StageProgress | None = None, folder: Path | str | None = None
    ) -> Result:
        """Super-resolve one volume.

        Args:
            volume: measured, in HU; what it tells of its slices is taken into account.
            progress: called with stage, fraction and note; None shows bars on a terminal or in a notebook.
            folder: keeps the files of the run, so that it can be taken up after an interruption.

        Raises:
            ConfigurationError: no volume, or a folder of another run.
            GeometryError: the volume's grid cannot be refined as asked.
            StorageError: the folder cannot be written.
        """
        return run.super_resolve(volume, self.config, device=self.device, progress=progress, folder=folder)


def super_resolve(
    volume: Volume,
    scale: Scale = 4,
    preset: str = "preview",
    *,
    samples: int = 1,
    device: str | torch.device = "auto",
    progress: StageProgress | None = None,
) -> Result:
    """One volume in one call, see `SuperResolver`."""
    resolver = SuperResolver.from_preset(preset, scale=scale, samples=samples, device=device)
    return resolver(volume, progress=progress)

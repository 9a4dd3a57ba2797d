"""The inverse problem of a run: what was measured, and how it became that from what is wanted."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.device import resolve_device
from nullsplat.core.units import LOWEST_HU
from nullsplat.core.volume import Volume
from nullsplat.physics.noise import estimate_noise
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.forward_model import ForwardModel, forward_model
from nullsplat.prior.task import Task


@dataclass(frozen=True)
class Problem:
    """y = D x + noise.

    Attributes:
        lr_hu: measured volume y in HU, on the device that does the work.
        model: the operators, with the full detector; D is `model.volume_op`.
        noise_hu: standard deviation of the noise in `lr_hu`.
    """

    lr_hu: Float[Tensor, "m n o"]
    model: ForwardModel
    noise_hu: float

    @property
    def task(self) -> Task:
        """What is asked of a prior of volumes."""
        return Task(self.model.volume_op, self.model.hr.spacing, self.noise_hu)


def pose(
    volume: Volume,
    config: PipelineConfig,
    device: str | torch.device = "auto",
    noise_hu: float | None = None,
) -> Problem:
    """Pose the problem of a measured volume.

    Args:
        volume: measured, in HU.
        config: `scale`, `resolution` and `views` are used; what it leaves open of the slices the volume tells.
        device: auto, cpu or cuda.
        noise_hu: standard deviation of the noise, where it is known; else it is estimated.

    Raises:
        GeometryError: the volume's grid cannot be refined as asked.
    """
    lr_hu = measured_hu(volume, resolve_device(device))
    model = forward_model(volume.geometry, config.for_volume(volume))
    return Problem(lr_hu, model, estimate_noise(lr_hu.cpu().numpy()) if noise_hu is None else noise_hu)


def measured_hu(volume: Volume, device: torch.device) -> Float[Tensor, "m n o"]:
    """The voxels of a measured volume, nothing below the lowest HU; the volume stays as it is."""
    return torch.from_numpy(np.ascontiguousarray(np.maximum(volume.hu, np.float32(LOWEST_HU)))).to(device)

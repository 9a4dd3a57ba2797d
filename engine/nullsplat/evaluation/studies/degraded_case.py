"""One truth, degraded once: what the studies of single stages start from."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.data.degrade import Protocol, crop_to_blocks, degrade
from nullsplat.evaluation.methods.baselines import reconstruct
from nullsplat.evaluation.methods.known import known_of
from nullsplat.evaluation.metrics.scores import CLIP_HU
from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.pipeline.base_volume import base_volume
from nullsplat.pipeline.config import PipelineConfig, configure
from nullsplat.pipeline.problem import Problem, pose


class DegradedCase:
    """A measured volume whose truth is known, and what needs no learning to be made of it.

    Attributes:
        how: the protocol.
        device: where to compute.
        truth_hu: the truth, clipped to the evaluation's range, whole blocks.
        config: of `standard`, with the number of views that was asked for.
        problem: the measured volume, the operators of `config` and the noise, as the pipeline poses it.
    """

    def __init__(self, truth: Volume, how: Protocol, views: int, device: torch.device, seed: int = 0) -> None:
        """Degrade.

        Args:
            truth: in HU.
            how: the protocol.
            views: over [0, pi).
            device: where to compute.
            seed: of the measurement's noise and of all that is random later.
        """
        hu = np.clip(crop_to_blocks(truth.hu, how), *CLIP_HU).astype(np.float32)
        self._low = degrade(hu, how, seed)
        dz, dy, dx = (d * s for d, s in zip(truth.geometry.spacing, how.scale, strict=True))
        nz, ny, nx = self._low.shape
        self.how, self.device, self.truth_hu = how, device, hu
        self.config: PipelineConfig = replace(
            configure(how.scale, "standard", seed=seed, resolution=known_of(how).resolution),
            views=views,
        )
        measured = Volume(self._low, Geometry((nz, ny, nx), (dz, dy, dx)))
        self.problem: Problem = pose(measured, self.config, device)

    @cached_property
    def cubic_hu(self) -> Float[Tensor, "z y x"]:
        """Cubic interpolation."""
        return upsample_cubic(self.problem.lr_hu, self.problem.model.hr.shape)

    @cached_property
    def tv_hu(self) -> Float[Tensor, "z y x"]:
        """The baseline `tv`."""
        return torch.from_numpy(reconstruct("tv", self._low, known_of(self.how))).to(self.device)

    @cached_property
    def base_hu(self) -> Float[Tensor, "z y x"]:
        """The pipeline's base."""
        return base_volume(self.problem, self.config)

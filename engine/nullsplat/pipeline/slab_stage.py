"""Stage 1 with the slab prior: the base refined in thin slabs, then its projections, which are slabs of full depth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.moments import Moments
from nullsplat.core.progress import Progress, part, silent
from nullsplat.core.seeds import derive_seed
from nullsplat.physics.consistency import consistent, exclude
from nullsplat.physics.null_space import null_space_part
from nullsplat.physics.saturation import saturation_floor
from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.problem import Problem
from nullsplat.pipeline.stage1 import MeasuredProjections, Projections
from nullsplat.prior.slab.sampling import SlabSampling

_VOLUME_SHARE = 0.9


@runtime_checkable
class VolumePrior(Protocol):
    """Any model of CT volumes that can say what a base lacks; `SlabPipeline` is one.

    What it says is only a proposal: stage 1 keeps of it what the measurement allows.
    """

    def refine_volume(
        self,
        base_hu: Float[Tensor, "z y x"],
        cubic_hu: Float[Tensor, "z y x"],
        config: SlabSampling,
        axes: Sequence[int] = (0, 1, 2),
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "z y x"]:
        """The base with what it lacks, in HU; the posterior mean for `seed` None, else a sample.

        Args:
            base_hu: base volume in HU.
            cubic_hu: cubic interpolation of the measured volume in HU.
            config: how slabs are refined.
            axes: of (z, y, x), along which detail is missing.
            seed: of a sample.
            progress: callback.
        """

    def refine_projections(
        self,
        base: Float[Tensor, "v z u"],
        cubic: Float[Tensor, "v z u"],
        config: SlabSampling,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "v z u"]:
        """The same for projections in network range; used where `SlabSampling.mix` is above 0."""


@dataclass(frozen=True)
class Refined:
    """What the slab prior makes of a base.

    Attributes:
        hu: mean of the samples in HU, in agreement with the measurement.
        deviation_hu: their standard deviation; zero for a single one.
        projections: what stage 2 is to explain.
    """

    hu: Float[Tensor, "z y x"]
    deviation_hu: Float[Tensor, "z y x"]
    projections: Projections


class SlabStage:
    """The slab prior at work on one measured volume."""

    def __init__(self, problem: Problem, base_hu: Float[Tensor, "z y x"], config: PipelineConfig) -> None:
        """Take what is known.

        Args:
            problem: what was measured.
            base_hu: base volume in HU.
            config: `slabs`, `base.noise_share`, `sampling.samples` and `seed` are used.
        """
        self._problem, self._base_hu, self._config = problem, base_hu, config
        self._cubic_hu = upsample_cubic(problem.lr_hu, problem.model.hr.shape)
        self._floor_hu = saturation_floor(problem.lr_hu, problem.noise_hu)

    @property
    def steps(self) -> int:
        """Network evaluations per slab and sample."""
        return 1 if self._config.sampling.samples == 1 else 1 + self._config.slabs.steps

    def run(self, prior: VolumePrior, measured: MeasuredProjections, progress: Progress) -> Refined:
        """Mean and standard deviation of the samples; a single one is the posterior mean itself, without noise.

        Args:
            prior: on the device of the measured volume.
            measured: projections of the measured volume.
            progress: told after every batch of slabs or views.
        """
        count = self._config.sampling.samples
        volumes, views = Moments(), Moments()
        for k in range(count):
            seed = None if count == 1 else derive_seed(self._config.seed, "slab sample", k)
            told = part(progress, k / count, (k + 1) / count)
            volume = self._volume(prior, seed, part(told, 0, _VOLUME_SHARE))
            volumes.add(volume)
            views.add(self._projections(volume, measured, prior, seed, part(told, _VOLUME_SHARE, 1)))
        projections = measured.decoded(views.mean, views.deviation)
        return Refined(volumes.mean, volumes.deviation, projections)

    def _volume(self, prior: VolumePrior, seed: int | None, progress: Progress) -> Float[Tensor, "z y x"]:
        """The base refined in slabs one voxel thick, along every axis from which missing detail is seen."""
        axes = (1, 2) if self._config.thick_slices else (0, 1, 2)
        found = prior.refine_volume(self._base_hu, self._cubic_hu, self._config.slabs, axes, seed, progress)
        return self._held(found)

    def _projections(
        self,
        refined_hu: Float[Tensor, "z y x"],
        measured: MeasuredProjections,
        prior: VolumePrior,
        seed: int | None,
        progress: Progress,
    ) -> Float[Tensor, "v z u"]:
        """Projections of the refined volume, and a share of what the prior sees beyond in the base's own projections.

        That share lies in the null space: what was measured stays as the refined volume has it, which is held to it.
        """
        seen, mix = measured.encoded(refined_hu), self._config.slabs.mix
        if mix == 0:
            return seen
        base, cubic = measured.encoded(self._base_hu), measured.encoded(self._cubic_hu)
        found = prior.refine_projections(base, cubic, self._config.slabs, seed, progress)
        return seen + mix * null_space_part(found - seen, measured.measurement.op)

    def _held(self, hu: Float[Tensor, "z y x"]) -> Float[Tensor, "z y x"]:
        """Brought into agreement with the measured volume within its noise, and not below where it saturates."""
        y, op, noise_hu = self._problem.lr_hu, self._problem.model.volume_op, self._problem.noise_hu
        held = consistent(hu, y, op, noise_hu * self._config.base.noise_share)
        held = exclude(held, y, op, noise_hu)
        return held if self._floor_hu is None else held.clamp_(min=self._floor_hu)

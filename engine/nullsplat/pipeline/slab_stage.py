"""Stage 1 with the slab prior: the base refined in thin slabs, and held to the measurement."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.moments import Moments
from nullsplat.core.progress import Progress, parts, silent
from nullsplat.core.seeds import derive_seed
from nullsplat.physics.consistency import consistent, suppress_inconsistent
from nullsplat.physics.regularisation.saturation import saturation_floor
from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.problem import Problem
from nullsplat.prior.slab_sampling import SlabSampling
from nullsplat.prior.task import Refinement, Task


@runtime_checkable
class VolumePrior(Protocol):
    """Any model of CT volumes that can say what a base lacks; `BlockPipeline` is one.

    What it says is only a proposal: stage 1 keeps of it what the measurement allows.
    """

    def refine_volume(
        self,
        base_hu: Float[Tensor, "z y x"],
        cubic_hu: Float[Tensor, "z y x"],
        task: Task,
        config: SlabSampling,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Refinement:
        """The base with what it lacks; the posterior mean for `seed` None, else a sample.

        Args:
            base_hu: base volume in HU.
            cubic_hu: cubic interpolation of the measured volume in HU.
            task: what was measured, and how finely it is to be known.
            config: how slabs are refined.
            seed: of a sample.
            progress: callback.
        """


@dataclass(frozen=True)
class Refined:
    """What the slab prior makes of a base.

    Attributes:
        hu: mean of the samples in HU, in agreement with the measurement.
        deviation_hu: their standard deviation; zero for a single one.
        half_width_hu: see `prior.task.Refinement`.
        contradicted_share: see `Answer`; None for several samples, which lie apart by intent.
        sample_hu: one of the samples, in agreement with the measurement as well; None where none was asked for.
    """

    hu: Float[Tensor, "z y x"]
    deviation_hu: Float[Tensor, "z y x"]
    half_width_hu: Float[Tensor, "z y x"] | None
    contradicted_share: float | None
    sample_hu: Float[Tensor, "z y x"] | None


@dataclass(frozen=True)
class Answer:
    """What a prior says once, and what the measurement leaves of it.

    Attributes:
        hu: in HU, in agreement with the measurement.
        half_width_hu: see `prior.task.Refinement`.
        contradicted_share: of the voxels that the prior looked at, those that the measurement moves out of the prior's own
            interval: how little the prior understands what it sees. None where it states no interval.
    """

    hu: Float[Tensor, "z y x"]
    half_width_hu: Float[Tensor, "z y x"] | None
    contradicted_share: float | None


class SlabStage:
    """The slab prior at work on one measured volume."""

    def __init__(self, problem: Problem, base_hu: Float[Tensor, "z y x"], config: PipelineConfig) -> None:
        """Take what is known.

        Args:
            problem: what was measured.
            base_hu: base volume in HU.
            config: `slabs`, `base.noise_share`, `sampling.samples`, `posterior_sample` and `seed` are used.
        """
        self._problem, self._base_hu, self._config = problem, base_hu, config
        self._cubic_hu = upsample_cubic(problem.lr_hu, problem.model.hr.shape)
        self._floor_hu = saturation_floor(problem.lr_hu, problem.noise_hu)

    @property
    def steps(self) -> int:
        """Network evaluations per slab and sample of what is averaged."""
        return self._evaluations(self._seeds(1)[0] if self._config.sampling.samples > 1 else None)

    def run(self, prior: VolumePrior, progress: Progress = silent) -> Refined:
        """Mean and standard deviation of the samples; a single one is the posterior mean itself, without noise.

        Args:
            prior: on the device of the measured volume.
            progress: called after every batch of slabs.
        """
        config, volumes = self._config, Moments()
        half_width_hu = share = sample_hu = None
        averaged = self._seeds(config.sampling.samples) if config.sampling.samples > 1 else [None]
        beside = self._seeds(1) if config.posterior_sample else []
        seeds = [*averaged, *(seed for seed in beside if seed not in averaged)]
        for seed, told in zip(
            seeds, parts(progress, [self._evaluations(seed) for seed in seeds]), strict=True
        ):
            found = self.answer(prior, seed, told)
            if seed in beside:
                sample_hu = found.hu
            if seed in averaged:
                half_width_hu = found.half_width_hu  # that of the mean, whichever sample was drawn around it
                share = found.contradicted_share if seed is None else None
                volumes.add(found.hu)
        return Refined(volumes.mean, volumes.deviation, half_width_hu, share, sample_hu)

    def _seeds(self, count: int) -> list[int | None]:
        return [derive_seed(self._config.seed, "slab sample", k) for k in range(count)]

    def _evaluations(self, seed: int | None) -> int:
        """Of the network, per slab: for the mean, or for a sample, in whose blocks each slab lies twice."""
        return 1 if seed is None else 1 + 2 * self._config.slabs.steps

    def answer(self, prior: VolumePrior, seed: int | None = None, progress: Progress = silent) -> Answer:
        """What a prior says of the base, made consistent.

        Args:
            prior: on the device of the measured volume.
            seed: of a sample; None asks for the posterior mean.
            progress: callback.
        """
        task, slabs = self._problem.task, self._config.slabs
        said = prior.refine_volume(self._base_hu, self._cubic_hu, task, slabs, seed, progress)
        held = self._held(said.hu)
        return Answer(held, said.half_width_hu, _contradicted(said, held))

    def _held(self, hu: Float[Tensor, "z y x"]) -> Float[Tensor, "z y x"]:
        """Brought into agreement with the measured volume within its noise, and not below where it saturates."""
        y, op, noise_hu = self._problem.lr_hu, self._problem.model.volume_op, self._problem.noise_hu
        held = consistent(hu, y, op, noise_hu * self._config.base.noise_share)
        held = suppress_inconsistent(held, y, op, noise_hu)
        return held if self._floor_hu is None else held.clamp_(min=self._floor_hu)


def _contradicted(said: Refinement, held: Float[Tensor, "z y x"]) -> float | None:
    if said.half_width_hu is None:
        return None
    moved = seen = 0
    for hu, half_width_hu, kept in zip(
        said.hu, said.half_width_hu, held, strict=True
    ):  # so that masks stay small
        seen += int((half_width_hu > 0).sum())
        moved += int(((kept - hu).abs() > half_width_hu)[half_width_hu > 0].sum())
    return moved / seen if seen else None

"""How close stage 1's projections are to the true ones: each prior, each way to use it, against what needs no learning."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import silent
from nullsplat.core.volume import Axes3
from nullsplat.evaluation.metrics.scores import psnr, to_unit
from nullsplat.evaluation.studies.degraded_case import DegradedCase
from nullsplat.physics.null_space import project_to_measurement
from nullsplat.pipeline.config import PipelineConfig, configure
from nullsplat.pipeline.slab_stage import SlabStage
from nullsplat.pipeline.stage1 import MeasuredProjections, measured_projections, sample_projections
from nullsplat.prior import weights
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.load import load_prior
from nullsplat.prior.xray.pipeline import ProjectionDDNMPipeline
from nullsplat.prior.xray.sampling import SamplingConfig

Views = Float[Tensor, "v z u"]
VolumeHu = Float[Tensor, "z y x"]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        method: what made the projections.
        steps: network evaluations per view or slab; 0 where there is no network.
        samples: samples that were averaged; 0 where there is no network.
        psnr: dB of the projections for data range 1, which is the range from air to the prior's white.
        volume_psnr: dB of the volume that they are projections of, by the evaluation's protocol; None for projections
            that are no volume's.
        consistency: root mean square of A p - y for the same data range.
        seconds: wall time, without that of the base.
    """

    method: str
    steps: int
    samples: int
    psnr: float
    volume_psnr: float | None
    consistency: float
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class XrayVariant:
    """One way to use the unconditional prior."""

    method: str
    sampling: SamplingConfig


def xray_variants(scale: Axes3, samples: tuple[int, ...]) -> Iterator[XrayVariant]:
    """The paper's sampler, with fewer steps, and from an initial estimate, per number of samples; the presets' ascent."""
    paper = configure(scale, "paper").sampling
    for k in samples:
        for steps in (10, 50):
            yield XrayVariant("X-ray prior, paper", replace(paper, steps=steps, samples=k))
        for steps in (4, 8):
            guess = replace(paper, steps=steps, samples=k, start_sigma=0.04, sigma_y=None)
            yield XrayVariant("X-ray prior, from the base", guess)
    for preset in ("preview", "standard"):
        yield XrayVariant("X-ray prior, ascent", configure(scale, preset).sampling)


class Stage1Study:
    """Everything that is compared starts from the same measured volume."""

    def __init__(self, case: DegradedCase) -> None:
        """Project what was measured and the truth."""
        self._case = case
        self.measured: MeasuredProjections = measured_projections(case.problem)
        self.true = self.measured.encoded(torch.from_numpy(case.truth_hu).to(case.device))

    def without_learning(self) -> Iterator[Row]:
        """Cubic interpolation, the exact pseudo-inverse step on its projections, `tv`, and the pipeline's base."""
        cubic, tv, base = self._case.cubic_hu, self._case.tv_hu, self._case.base_hu
        yield self._timed("cubic", lambda: (self.measured.encoded(cubic), cubic))
        measurement = self.measured.measurement
        yield self._timed(
            "cubic, pseudo-inverse step",
            lambda: (
                project_to_measurement(self.measured.encoded(cubic), measurement.y, measurement.op),
                None,
            ),
        )
        yield self._timed("projected tv", lambda: (self.measured.encoded(tv), tv))
        yield self._timed("projected base", lambda: (self.measured.encoded(base), base))

    def with_xray_prior(self, samples: tuple[int, ...]) -> Iterator[Row]:
        """The unconditional prior in every way of `xray_variants`."""
        prior = load_prior(weights.XRAY, self._case.device)
        assert isinstance(prior, ProjectionDDNMPipeline)  # noqa: S101 - the packaged one is
        for variant in xray_variants(self._case.how.scale, samples):
            config = replace(self._case.config, sampling=variant.sampling)

            def sample(config: PipelineConfig = config) -> tuple[Views, None]:
                found = sample_projections(self.measured, self._case.base_hu, prior, config, silent)
                return self.measured.encoded_lines(found.mean), None

            yield self._timed(variant.method, sample, variant.sampling.steps, variant.sampling.samples)

    def with_slab_prior(self, samples: tuple[int, ...]) -> Iterator[Row]:
        """The slab prior: its posterior mean, the same mirrored, and means of samples."""
        prior = load_prior(weights.BLOCK, self._case.device)
        assert isinstance(prior, BlockPipeline)  # noqa: S101 - the packaged one is
        case = self._case
        for k, mirrors in [(1, 1), (1, 4)] + [(k, 1) for k in samples if k > 1]:
            slabs = replace(case.config.slabs, mirrors=mirrors)
            sampling = replace(case.config.sampling, samples=k)
            stage = SlabStage(
                case.problem, case.base_hu, replace(case.config, sampling=sampling, slabs=slabs)
            )

            def refine(stage: SlabStage = stage) -> tuple[Views, VolumeHu]:
                found = stage.run(prior)
                return self.measured.encoded(found.hu), found.hu

            mirrored = ", mirrored" if mirrors > 1 else ""
            yield self._timed(f"slab prior{mirrored}", refine, stage.steps * mirrors, k)

    def _timed(
        self,
        method: str,
        make: Callable[[], tuple[Views, VolumeHu | None]],
        steps: int = 0,
        samples: int = 0,
    ) -> Row:
        _ = self._case.base_hu  # its time is nobody's
        started = time.perf_counter()
        views, volume = make()
        seconds = time.perf_counter() - started
        unit = (views.cpu() + 1) / 2, (self.true.cpu() + 1) / 2
        measurement = self.measured.measurement
        off = (measurement.op.forward(views) - measurement.y).square().mean().sqrt()
        quality = (
            None if volume is None else psnr(to_unit(volume.cpu().numpy()), to_unit(self._case.truth_hu))
        )
        return Row(
            method, steps, samples, psnr(unit[0].numpy(), unit[1].numpy()), quality, float(off) / 2, seconds
        )

"""Everything that decides what the pipeline computes, in one object that hashes."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.suggestion import did_you_mean
from nullsplat.core.units import LEAST_COVERAGE
from nullsplat.core.volume import Axes3, Volume
from nullsplat.physics.profile import Resolution
from nullsplat.physics.regularisation.base import scaled_for
from nullsplat.physics.regularisation.total_variation import TotalVariation
from nullsplat.pipeline.presets import PRESETS, Preset
from nullsplat.pipeline.scale import Scale, factors
from nullsplat.prior.slab_sampling import SlabSampling
from nullsplat.prior.xray.sampling import SamplingConfig
from nullsplat.splat.fit.closed_form import ClosedForm
from nullsplat.splat.fit.config import FitConfig

ALGORITHM = 9
"""Raised whenever the same configuration would give another result."""


@dataclass(frozen=True)
class PipelineConfig:
    """What is computed; two runs with equal hashes and equal weights give equal results.

    Attributes:
        scale: factors along (z, y, x); 1 leaves an axis alone.
        preset: name that the other settings came from.
        seed: of everything random.
        resolution: what the samples of the measured volume average over; None is what the volume itself tells.
        prior: of stage 1; a packaged name or a folder, see `prior.weights.locate`.
        views: projections over [0, pi), where the prior is one of X-rays.
        base: how the base volume is made; zero iterations mean plain cubic upsampling.
        sampling: stage 1 with a prior of X-rays; `samples` counts for every kind of prior.
        slabs: stage 1 with a prior of slabs.
        fit: stage 2 with projections.
        field: stage 2 with a volume.
        detail: share of stage 1's voxel detail that is kept where the Gaussians of stage 2 cannot explain it.
        finish: the data-consistency step after stage 2; zero iterations mean one step of consistency alone.
        posterior_sample: whether a sample of the prior goes with the result, which is the mean.
    """

    scale: Axes3
    preset: str
    seed: int
    resolution: Resolution | None
    prior: str
    views: int
    base: TotalVariation
    sampling: SamplingConfig
    slabs: SlabSampling
    fit: FitConfig
    field: ClosedForm
    detail: float
    finish: TotalVariation
    posterior_sample: bool

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all settings, 64 hexadecimal digits."""
        content = {"algorithm": ALGORITHM, **dataclasses.asdict(self)}
        content["resolution"] = dataclasses.asdict(self.assumed)
        del content["resolution"]["why"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def assumed(self) -> Resolution:
        """What is assumed of the samples; where neither the settings nor a volume told, slices that touch."""
        return self.resolution or Resolution()

    def for_volume(self, volume: Volume) -> "PipelineConfig":
        """The same settings, with what the volume tells of its slices where they leave that open.

        Raises:
            ConfigurationError: the volume's slice profile is none.
        """
        if self.resolution is not None:
            return self
        return dataclasses.replace(self, resolution=Resolution.of(volume))

    @property
    def unmeasured_share(self) -> float:
        """Which part of the length lies between slices that are thinner than their distance; 0 where they touch."""
        ratio = self.assumed.slice_thickness_ratio
        return 1 - ratio if ratio < LEAST_COVERAGE else 0.0

    @property
    def thick_slices(self) -> bool:
        """Whether only z is refined, as for a thick-slice series."""
        return self.scale[1] == 1 and self.scale[2] == 1


def configure(
    scale: Scale,
    preset: str = "preview",
    *,
    seed: int = 0,
    samples: int = 1,
    resolution: Resolution | None = None,
    prior: str | None = None,
) -> PipelineConfig:
    """The settings of a preset for one request.

    Args:
        scale: how many times finer, see `pipeline.scale`; one number is for the slices alone.
        preset: one of `PRESETS`.
        seed: of everything random.
        samples: diffusion samples K that are averaged and whose spread is the uncertainty.
        resolution: what the samples of the measured volume average over, instead of what the volume tells.
        prior: other than the preset's; a packaged name or a folder.

    Raises:
        ConfigurationError: an unknown preset, or a number that cannot be used.
    """
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ConfigurationError(
            f"preset must be one of {', '.join(PRESETS)}, got {preset!r}" + did_you_mean(str(preset), PRESETS)
        )
    _check_whole("seed", seed, 0)
    _check_whole("samples", samples, 1)
    scale = factors(scale)
    chosen: Preset = PRESETS[preset]
    sampling = dataclasses.replace(chosen.sampling, samples=samples)
    if chosen.sampling.sigma_y is None and preset == "paper":
        sampling = dataclasses.replace(sampling, sigma_y=_paper_sigma_y(max(scale)))
    if sampling.start_sigma is not None and min(scale) > 1:
        sampling = dataclasses.replace(sampling, start_sigma=sampling.start_sigma / 2)
    return PipelineConfig(
        scale=scale,
        preset=preset,
        seed=seed,
        resolution=resolution,
        prior=prior or chosen.prior,
        views=chosen.views,
        base=scaled_for(scale, chosen.base),
        sampling=sampling,
        slabs=chosen.slabs,
        fit=chosen.fit,
        field=ClosedForm(step=max(1, round(min(scale) / 4))),
        detail=chosen.detail,
        finish=chosen.finish,
        posterior_sample=chosen.posterior_sample,
    )


def _check_whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, Integral) or value < least:
        raise ConfigurationError(f"{name} must be a whole number of at least {least}, got {value!r}")


def _paper_sigma_y(scale: float) -> float:
    """The authors' released settings, relative to the range [-1, 1] of their network (arXiv 2508.15151)."""
    return 0.001 if scale <= 4 else 0.0025

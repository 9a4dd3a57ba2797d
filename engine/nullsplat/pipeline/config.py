"""Everything that decides what the pipeline computes, in one object that hashes."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.units import LEAST_COVERAGE
from nullsplat.core.volume import Axes3
from nullsplat.physics.base import suited_to
from nullsplat.physics.profile import Resolution
from nullsplat.physics.total_variation import TotalVariation
from nullsplat.pipeline.presets import PRESETS, Preset
from nullsplat.prior.slab.sampling import SlabSampling
from nullsplat.prior.xray.sampling import SamplingConfig
from nullsplat.splat.fit.config import FitConfig

ALGORITHM = 3
"""Raised whenever the same configuration would give another result."""

MAX_SCALE = 16.0


@dataclass(frozen=True)
class PipelineConfig:
    """What is computed; two runs with equal hashes and equal weights give equal results.

    Attributes:
        scale: factors along (z, y, x); 1 leaves an axis alone.
        preset: name that the other settings came from.
        seed: of everything random.
        resolution: what the samples of the measured volume average over.
        prior: of stage 1; a packaged name or a folder, see `prior.weights.locate`.
        views: projections over [0, pi).
        base: how the base volume is made; zero iterations mean plain cubic upsampling.
        consistent_base: whether the base is held to the measurement, or is cubic upsampling and nothing else.
        sampling: stage 1 with a prior of X-rays; `samples` counts for every kind of prior.
        slabs: stage 1 with a prior of slabs.
        fit: stage 2.
        detail: share of stage 1's voxel detail that is kept where the Gaussians of stage 2 cannot explain it.
        finish: the reality check after stage 2; zero iterations mean one step of consistency alone.
    """

    scale: Axes3
    preset: str
    seed: int
    resolution: Resolution
    prior: str
    views: int
    consistent_base: bool
    base: TotalVariation
    sampling: SamplingConfig
    slabs: SlabSampling
    fit: FitConfig
    detail: float
    finish: TotalVariation

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all settings, 64 hexadecimal digits."""
        content = {"algorithm": ALGORITHM, **dataclasses.asdict(self)}
        del content["resolution"]["why"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def unmeasured_share(self) -> float:
        """Which part of the length lies between slices that are thinner than their distance; 0 where they touch."""
        ratio = self.resolution.slice_thickness_ratio
        return 1 - ratio if ratio < LEAST_COVERAGE else 0.0

    @property
    def thick_slices(self) -> bool:
        """Whether only z is refined, as for a thick-slice series."""
        return self.scale[1] == 1 and self.scale[2] == 1


def configure(
    scale: Axes3,
    preset: str = "preview",
    *,
    seed: int = 0,
    samples: int = 1,
    resolution: Resolution | None = None,
    prior: str | None = None,
) -> PipelineConfig:
    """The settings of a preset for one request.

    Args:
        scale: factors along (z, y, x), each from 1 to 16; those along y and x must be equal, because the
            projections look from all sides.
        preset: one of `PRESETS`.
        seed: of everything random.
        samples: diffusion samples K that are averaged and whose spread is the uncertainty.
        resolution: what the samples of the measured volume average over; `Resolution()` unless more is known.
        prior: other than the preset's; a packaged name or a folder.

    Raises:
        ConfigurationError: an unknown preset, or a factor that cannot be used.
    """
    if preset not in PRESETS:
        raise ConfigurationError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    if not all(1 <= s <= MAX_SCALE for s in scale):
        raise ConfigurationError(f"every factor of scale must lie in [1, {MAX_SCALE:g}], got {scale}")
    if scale[1] != scale[2]:
        raise ConfigurationError(
            f"the factors along y and x must be equal, got {scale[1]:g} and {scale[2]:g}"
        )
    if max(scale) == 1:
        raise ConfigurationError(
            "scale 1,1,1 asks for nothing; give a factor above 1 along at least one axis"
        )
    chosen: Preset = PRESETS[preset]
    sampling = dataclasses.replace(chosen.sampling, samples=samples)
    if chosen.sampling.sigma_y is None and preset == "paper":
        sampling = dataclasses.replace(sampling, sigma_y=_paper_sigma_y(max(scale)))
    return PipelineConfig(
        scale=scale,
        preset=preset,
        seed=seed,
        resolution=resolution or Resolution(),
        prior=prior or chosen.prior,
        views=chosen.views,
        consistent_base=chosen.consistent_base,
        base=suited_to(scale, chosen.base),
        sampling=sampling,
        slabs=chosen.slabs,
        fit=chosen.fit,
        detail=chosen.detail,
        finish=chosen.finish,
    )


def _paper_sigma_y(scale: float) -> float:
    """The authors' released settings, relative to the range [-1, 1] of their network (arXiv 2508.15151)."""
    return 0.001 if scale <= 4 else 0.0025

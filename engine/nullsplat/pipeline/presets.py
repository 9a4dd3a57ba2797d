"""Named settings: `preview` and, at more cost, `standard` for use; `sharp` for texture; `paper` for comparison with the paper."""

from dataclasses import dataclass, replace

from nullsplat.physics.regularisation.base import BASE, NONNEGATIVE
from nullsplat.physics.regularisation.total_variation import TotalVariation
from nullsplat.prior.slab_sampling import SlabSampling
from nullsplat.prior.weights import BLOCK, XRAY
from nullsplat.prior.xray.sampling import SamplingConfig
from nullsplat.splat.fit.config import PAPER, PREVIEW, STANDARD, FitConfig


@dataclass(frozen=True)
class Preset:
    """The settings that a preset stands for; see `PipelineConfig`.

    `sampling.start_sigma` is for thick slices; half of it serves where all axes are refined (docs/adr/0007).
    """

    prior: str
    views: int
    base: TotalVariation
    sampling: SamplingConfig
    slabs: SlabSampling
    fit: FitConfig
    detail: float
    finish: TotalVariation
    posterior_sample: bool = False


_PREVIEW = Preset(
    prior=BLOCK,
    views=40,
    base=BASE,
    sampling=SamplingConfig(steps=6, start_sigma=0.04, relaxation=0.4, batch=2, shared_views=4),
    slabs=SlabSampling(),
    fit=PREVIEW,
    detail=0.9,
    finish=TotalVariation(iterations=0, bounds=NONNEGATIVE),
)

PRESETS: dict[str, Preset] = {
    "preview": _PREVIEW,
    "standard": Preset(
        prior=BLOCK,
        views=100,
        base=BASE,
        sampling=SamplingConfig(steps=12, start_sigma=0.04, relaxation=0.3, batch=16, shared_views=4),
        slabs=SlabSampling(mirrors=4),
        fit=STANDARD,
        detail=0.9,
        finish=TotalVariation(iterations=0, bounds=NONNEGATIVE),
    ),
    "sharp": replace(_PREVIEW, slabs=SlabSampling(steps=4), posterior_sample=True),
    "paper": Preset(
        prior=XRAY,
        views=100,
        base=TotalVariation(iterations=0, bounds=NONNEGATIVE),
        sampling=SamplingConfig(steps=50, eta=0.99, start_sigma=None, batch=4),
        slabs=SlabSampling(),
        fit=PAPER,
        detail=0.0,
        finish=TotalVariation(iterations=0, bounds=NONNEGATIVE),
    ),
}

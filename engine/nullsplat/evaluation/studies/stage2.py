"""What stage 2 makes of what it is given, by stage 1 and perfect: where quality is lost, and what each part is worth."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.units import HU_AIR, LOWEST_HU, hu_to_mu
from nullsplat.evaluation.metrics.scores import psnr, ssim, to_unit
from nullsplat.evaluation.studies.degraded_case import DegradedCase
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.consistency import consistent_volume
from nullsplat.pipeline.forward_model import ForwardModel, forward_model
from nullsplat.pipeline.slab_stage import SlabStage
from nullsplat.pipeline.stage1 import Projections, measured_projections
from nullsplat.pipeline.stage2 import field_of, fit_field
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.load import load_prior
from nullsplat.splat.fit.closed_form import ClosedForm
from nullsplat.splat.fit.config import PAPER, PREVIEW, STANDARD, FitConfig

VolumeHu = Float[Tensor, "z y x"]
Source = Literal["stage 1", "true"]

SOURCES: tuple[Source, ...] = ("stage 1", "true")
"""What is explained, as a volume or by its projections: stage 1's volume, or the truth, which bounds what stage 2 can do."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        method: what made the volume.
        given: what it explains; None where nothing was fitted.
        views: how many projections of that; 0 where it is given as a volume.
        gaussians: how many there are at the end.
        steps: of the fit, at most; 0 for a closed form.
        psnr: dB by the evaluation's protocol, before the data-consistency step.
        ssim: likewise.
        checked_psnr: dB after it; None for what the check is not made for.
        seconds: wall time of the fit.
    """

    method: str
    given: Source | None
    views: int
    gaussians: int
    steps: int
    psnr: float
    ssim: float
    checked_psnr: float | None
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class FitVariant:
    """One way to fit.

    Attributes:
        method: what the table calls it.
        fit: its settings; of a fit to projections, or of a closed form.
        views: over [0, pi).
        base: what the Gaussians refine; `none` is a field that shows the patient by itself.
    """

    method: str
    fit: FitConfig | ClosedForm
    views: int = 100
    base: Literal["regularised", "cubic", "none"] = "regularised"


def of_presets() -> tuple[FitVariant, ...]:
    """What the presets do with a volume, and with projections where the prior is one of X-rays."""
    return (
        FitVariant("closed form", ClosedForm()),
        FitVariant("`preview`", PREVIEW, 40),
        FitVariant("`standard`", STANDARD),
    )


def closed_forms() -> tuple[FitVariant, ...]:
    """The closed form with one thing changed."""
    counts = [FitVariant(f"a Gaussian to {n} voxels", ClosedForm(voxels_each=n)) for n in (1, 10, 50, 150)]
    widths = [FitVariant(f"of {sigma} voxels", ClosedForm(sigma=sigma)) for sigma in (0.5, 0.7)]
    return (*counts, *widths)


def ablations() -> tuple[FitVariant, ...]:
    """`standard` with one thing changed."""
    views = [FitVariant(f"{n} views", STANDARD, n) for n in (25, 50, 200)]
    counts = [
        FitVariant(f"{n // 1000}k Gaussians", replace(STANDARD, count=n, most=n, voxels_each=0.0))
        for n in (50_000, 150_000, 500_000)
    ]
    parts = [
        FitVariant("without base", STANDARD, base="none"),
        FitVariant("softplus", replace(STANDARD, activation="softplus")),
        FitVariant("ReLU", replace(STANDARD, activation="relu")),
        FitVariant("without total variation", replace(STANDARD, tv=0.0)),
        FitVariant("without SSIM", replace(STANDARD, ssim=0.0)),
        FitVariant("without ramp", replace(STANDARD, ramp=0.0)),
        FitVariant("round Gaussians at the start", replace(STANDARD, flatness=1.0)),
    ]
    return (*views, *counts, *parts)


def schedules() -> tuple[FitVariant, ...]:
    """`standard` with the same work spent in another way."""
    half, whole = STANDARD.steps // 2, STANDARD.steps * STANDARD.rounds
    return (
        FitVariant("two views a step", replace(STANDARD, views_per_step=2, steps=half)),
        FitVariant("one round", replace(STANDARD, rounds=1, steps=whole)),
        FitVariant("every tenth view judges when to stop", replace(STANDARD, held_out=10)),
    )


PAPER_SMALL = replace(PAPER, count=12_000, most=30_000, steps=2_500)
"""The paper's fit for a volume of some hundred voxels along each edge at most, in minutes on a CPU."""


def of_paper(fit: FitConfig = PAPER) -> tuple[FitVariant, ...]:
    """The paper's fit on its cubic base, with each activation that the paper compares."""
    return tuple(
        FitVariant(f"`paper`, {said}", replace(fit, activation=name), base="cubic")
        for name, said in (("prelu", "PReLU"), ("softplus", "softplus"), ("relu", "ReLU"))
    )


def of_paper_small() -> tuple[FitVariant, ...]:
    """The same with fewer Gaussians and steps."""
    return of_paper(PAPER_SMALL)


class Stage2Study:
    """One measured volume; everything that is compared starts from the same base and the same projections."""

    def __init__(self, case: DegradedCase) -> None:
        """Take what was measured."""
        self._case = case

    @cached_property
    def refined_hu(self) -> VolumeHu:
        """The volume that stage 1 of `standard` ends with."""
        case = self._case
        prior = load_prior(case.config.prior, case.device)
        assert isinstance(prior, BlockPipeline)  # noqa: S101 - that of `standard` is
        stage = SlabStage(case.problem, case.base_hu, case.config)
        return stage.run(prior).hu

    def without_fit(self) -> Iterator[Row]:
        """Cubic interpolation, `tv`, the base and stage 1's volume."""
        case = self._case
        yield self._row("cubic", case.cubic_hu)
        yield self._row("tv", case.tv_hu)
        yield self._row("base", case.base_hu)
        yield self._row("stage 1's volume", self.refined_hu)

    def fits(self, variants: tuple[FitVariant, ...], source: Source) -> Iterator[Row]:
        """Base plus field, for each variant."""
        for variant in variants:
            yield self._fitted(variant, source)

    def _fitted(self, variant: FitVariant, source: Source) -> Row:
        base, fit = self._base(variant), variant.fit
        if isinstance(fit, ClosedForm):
            config = replace(self._case.config, field=fit)
            made = partial(field_of, self._case.problem.model, base, self._shown(source), None, config)
            views, steps = 0, 0
        else:
            config = replace(self._case.config, fit=fit, views=variant.views)
            model, projections = self._projections(config, source)
            made = partial(fit_field, model, base, projections, config)
            views, steps = variant.views, fit.steps
        started = time.perf_counter()
        field = made()
        seconds = time.perf_counter() - started
        hu = (base + field.on(self._case.problem.model.hr)).clamp_(min=LOWEST_HU)
        row = self._row(variant.method, hu, source, seconds)
        return replace(row, views=views, gaussians=len(field.gaussians), steps=steps)

    def _base(self, variant: FitVariant) -> VolumeHu:
        if variant.base == "none":
            return torch.full_like(self._case.base_hu, HU_AIR)
        return self._case.cubic_hu if variant.base == "cubic" else self._case.base_hu

    def _shown(self, source: Source) -> VolumeHu:
        case = self._case
        return self.refined_hu if source == "stage 1" else torch.from_numpy(case.truth_hu).to(case.device)

    def _projections(self, config: PipelineConfig, source: Source) -> tuple[ForwardModel, Projections]:
        case = self._case
        problem = replace(case.problem, model=forward_model(case.problem.model.lr, config))
        narrow = measured_projections(problem).model
        seen = narrow.project_hr(hu_to_mu(self._shown(source)))
        return problem.model, Projections(seen, torch.zeros_like(seen), narrow.lr_beam.columns)

    def _row(self, method: str, hu: VolumeHu, source: Source | None = None, seconds: float = 0.0) -> Row:
        case = self._case
        shown, truth = to_unit(hu.cpu().numpy()), to_unit(case.truth_hu)
        checked = None
        if source is not None:
            held = consistent_volume(case.problem, hu, case.config)
            checked = psnr(to_unit(held.cpu().numpy()), truth)
        return Row(method, source, 0, 0, 0, psnr(shown, truth), ssim(shown, truth), checked, seconds)

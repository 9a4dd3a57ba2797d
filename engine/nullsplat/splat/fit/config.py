"""Settings of the fit, in units that do not depend on the size or spacing of a volume."""

from dataclasses import dataclass, replace

from nullsplat.core.errors import ConfigurationError
from nullsplat.splat.field.activation import activation

Decay = tuple[float, float]
"""First and last value of a learning rate, which falls exponentially in between."""


@dataclass(frozen=True)
class FitConfig:
    """How residual projections are turned into signed Gaussians.

    Attributes:
        count: Gaussians that a round starts with.
        most: Gaussians of a round never to exceed.
        voxels_each: voxels that there must be for every Gaussian at the start, so that a small volume gets fewer.
        steps: optimiser steps of a round.
        rounds: how often new Gaussians, as many again, start where the projections still show something.
        views_per_step: views whose losses are averaged in one step.
        sigma: standard deviation at the start, in voxels along each axis.
        flatness: how much wider than thick the Gaussians start, lying in the edges of the base; 1 are balls.
        slope: PReLU's slope for negative densities at the start.
        activation: prelu; softplus, relu and sine are for comparison only, at rates that were chosen for prelu.
        position_rate: voxels (geometric mean of the spacing) per step.
        density_rate: HU per step.
        scale_rate: of the logarithm of the standard deviations, per step.
        rotation_rate: of the quaternions, per step.
        l1: weight of the mean absolute error of the projections.
        ramp: weight of the root mean square error of the volume that the projections reveal; not in the paper.
        ssim: weight of 1 - SSIM.
        tv: weight of the total variation of base + residual in a random crop.
        tv_crop: edge of that crop in voxels.
        held_out: every so many views one is not learnt from but judges when to stop; 0 uses all to the end.
        judge_every: steps between judgements.
        patience: judgements without progress before the fit stops.
        refine_from: first step that may densify and prune.
        refine_until: last one.
        refine_every: steps between.
        grow_gradient: mean gradient of the position on the detector, in gsplat's unit (half detectors), above
            which a Gaussian is duplicated or split; None never grows.
        split_above: standard deviation in voxels above which it is split rather than duplicated.
        prune_below_hu: |z|, or what an activation other than prelu makes of it, below which it is removed.
    """

    count: int
    most: int
    steps: int
    rounds: int = 1
    voxels_each: float = 0.0
    views_per_step: int = 1
    sigma: float = 1.0
    flatness: float = 1.0
    slope: float = 1.0
    activation: str = "prelu"
    position_rate: Decay = (0.05, 0.005)
    density_rate: Decay = (36.0, 3.6)
    scale_rate: Decay = (5e-3, 5e-4)
    rotation_rate: Decay = (1e-3, 1e-4)
    l1: float = 2.0
    ramp: float = 0.0
    ssim: float = 0.5
    tv: float = 0.05
    tv_crop: int = 32
    held_out: int = 0
    judge_every: int = 50
    patience: int = 4
    refine_from: int = 500
    refine_until: int = 15_000
    refine_every: int = 100
    grow_gradient: float | None = 5e-5
    split_above: float = 2.0
    prune_below_hu: float = 0.036

    def __post_init__(self) -> None:
        """Refuse settings that cannot work.

        Raises:
            ConfigurationError: a count, size or rate that is not positive, a weight below zero, or an activation
                that there is not.
        """
        activation(self.activation)
        positive = {
            "count": self.count,
            "steps": self.steps,
            "rounds": self.rounds,
            "views_per_step": self.views_per_step,
            "sigma": self.sigma,
            "flatness": self.flatness,
            "slope": self.slope,
            "tv_crop": self.tv_crop,
            "judge_every": self.judge_every,
            "patience": self.patience,
            "refine_every": self.refine_every,
            "position_rate": min(self.position_rate),
            "density_rate": min(self.density_rate),
            "scale_rate": min(self.scale_rate),
            "rotation_rate": min(self.rotation_rate),
        }
        for name, value in positive.items():
            if not value > 0:
                raise ConfigurationError(f"{name} must be above 0, got {value}")
        if self.most < self.count:
            raise ConfigurationError(f"most must be at least count={self.count}, got {self.most}")
        if self.held_out < 0 or self.held_out == 1:
            raise ConfigurationError(f"held_out must be 0 or at least 2, got {self.held_out}")
        if self.voxels_each < 0:
            raise ConfigurationError(f"voxels_each must not be negative, got {self.voxels_each}")
        if min(self.l1, self.ramp, self.ssim, self.tv) < 0:
            raise ConfigurationError(
                f"loss weights must not be negative, got l1={self.l1}, ramp={self.ramp}, ssim={self.ssim}, tv={self.tv}"
            )

    def count_for(self, voxels: int) -> int:
        """Gaussians to start with in a volume of so many voxels."""
        return (
            self.count if self.voxels_each == 0 else max(1, min(self.count, int(voxels / self.voxels_each)))
        )


PAPER = FitConfig(count=50_000, most=500_000, steps=5_000, slope=0.25)
"""R2-Gaussian's defaults, as the paper uses them (arXiv 2508.15151, 2405.20693).

Its rates are for a scene of edge 2 and densities up to 1: positions 2e-4 -> 2e-5 are 0.05 -> 0.005 voxels of a
volume 512 voxels wide, densities 1e-2 -> 1e-3 are 36 -> 3.6 HU of the range [-512, 3071].
"""

PREVIEW = FitConfig(
    count=200_000,
    most=200_000,
    steps=400,
    voxels_each=150.0,
    sigma=1.5,
    flatness=3.0,
    ramp=5.0,
    position_rate=(0.1, 0.01),
    density_rate=(10.0, 2.0),
    scale_rate=(1e-1, 3e-3),
    rotation_rate=(4e-2, 2e-3),
    grow_gradient=None,
)
"""Few, fast steps: rates as high as the ramped loss allows, because it lets small details converge with the large.

No view is held out: on projections of the packaged prior that cost more than stopping early won.
"""

STANDARD = replace(PREVIEW, count=400_000, most=400_000, voxels_each=100.0, steps=750, rounds=2)
"""The same with more of everything. Neither grows: a second start, where something is left, beats densification, and
twice as many steps or Gaussians at once."""

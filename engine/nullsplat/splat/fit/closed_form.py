"""Signed Gaussians of a residual that is known as a volume: their densities follow from it in closed form."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.volume import Axes3
from nullsplat.physics.mode_product import apply_along_axes
from nullsplat.splat.field.gaussians import SignedGaussians


@dataclass(frozen=True)
class ClosedForm:
    """Which Gaussians explain a volume.

    Attributes:
        step: voxels from one Gaussian to the next along each axis.
        sigma: standard deviation along each axis, in steps.
        voxels_each: voxels that there must be for every Gaussian.
        most: Gaussians at most, but for equal densities, however large the volume: a field is a file that people download.
    """

    step: int = 1
    sigma: float = 0.6
    voxels_each: float = 20.0
    most: int = 1_000_000

    def __post_init__(self) -> None:
        """Refuse settings that cannot work.

        Raises:
            ConfigurationError: a width at which densities are not determined, or a number that is not positive.
        """
        # Wider ones nearly cancel each other: densities grow beyond all bounds.
        if not 0.3 <= self.sigma <= 0.8:
            raise ConfigurationError(f"sigma must lie in [0.3, 0.8] steps, got {self.sigma}")
        if not self.voxels_each > 0 or min(self.step, self.most) < 1:
            raise ConfigurationError(
                f"voxels_each must be above 0, step and most at least 1, got {self.voxels_each}, {self.step}, {self.most}"
            )


def explain(residual: Float[Tensor, "z y x"], spacing: Axes3, config: ClosedForm) -> SignedGaussians:
    """The Gaussians that a residual consists of, the strongest of them.

    With Gaussians of fixed width in fixed places, the field is linear in its densities, and separable: one small matrix
    product an axis gives those that come closest to the residual, at all voxels alike. Most of them are next to nothing, as the
    residual is: air and flat tissue need no explanation. What the weak ones would have shown is left out.

    Args:
        residual: what is to be explained, 1/mm.
        spacing: mm along (z, y, x).
        config: which Gaussians.

    Returns:
        The field in the frame of the residual's grid; one Gaussian without density where there is nothing to explain.
    """
    inverse = [_inverse(n, config).to(residual) for n in residual.shape]
    density = apply_along_axes(residual, inverse)
    at = _strongest(density, min(config.most, max(1, int(residual.numel() / config.voxels_each)))).nonzero()
    if len(at) == 0:
        at = at.new_zeros(1, 3)
    millimetres = config.step * residual.new_tensor(spacing)
    middle = residual.new_tensor([(n - 1) / 2 for n in density.shape])
    count = (len(at), 1)
    return SignedGaussians(
        means=((at - middle) * millimetres).flip(-1),
        log_scales=(config.sigma * millimetres).log().flip(-1).repeat(count),
        quats=residual.new_tensor([1.0, 0.0, 0.0, 0.0]).repeat(count),
        z=density[tuple(at.T)],
        slope=residual.new_ones(()),
    )


def _inverse(n: int, config: ClosedForm) -> Float[Tensor, "m n"]:
    """From values at the voxels of an axis to the densities of Gaussians, in its middle, that come closest to them."""
    count = -(-n // config.step)
    places = config.step * (np.arange(count) - (count - 1) / 2)
    distance = np.subtract.outer(np.arange(n) - (n - 1) / 2, places) / (config.sigma * config.step)
    return torch.from_numpy(np.linalg.pinv(np.exp(-0.5 * distance**2)))


def _strongest(density: Float[Tensor, "z y x"], count: int) -> Tensor:
    """A mask of the `count` densities of largest magnitude that are not zero, or of a few more where some are equal."""
    strength = density.abs()
    if count >= strength.numel():
        return strength > 0
    least = float(np.partition(strength.cpu().numpy().ravel(), -count)[-count])
    return (strength >= least) & (strength > 0)

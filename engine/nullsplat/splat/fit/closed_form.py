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
        sigma: standard deviation in voxels along each axis.
        voxels_each: voxels that there must be for every Gaussian.
        most: Gaussians never to exceed, however large the volume: a field is a file that people download.
    """

    sigma: float = 0.6
    voxels_each: float = 20.0
    most: int = 1_000_000

    def __post_init__(self) -> None:
        """Refuse settings that cannot work.

        Raises:
            ConfigurationError: a width at which densities are not determined, or a number that is not positive.
        """
        if (
            not 0.3 <= self.sigma <= 0.8
        ):  # wider ones nearly cancel each other: densities grow beyond all bounds
            raise ConfigurationError(f"sigma must lie in [0.3, 0.8] voxels, got {self.sigma}")
        if not self.voxels_each > 0 or self.most < 1:
            raise ConfigurationError(
                f"voxels_each must be above 0 and most at least 1, got {self.voxels_each} and {self.most}"
            )


def explain(residual: Float[Tensor, "z y x"], spacing: Axes3, config: ClosedForm) -> SignedGaussians:
    """The Gaussians that a residual consists of, the strongest of them.

    With one Gaussian of fixed width at every voxel centre, the field is linear in its densities, and separable: one
    small matrix product an axis gives the densities with which it passes through every voxel. Most of them are next to
    nothing, as the residual is: air and flat tissue need no explanation. What the weak ones would have shown is left out.

    Args:
        residual: what is to be explained, 1/mm.
        spacing: mm along (z, y, x).
        config: which Gaussians.

    Returns:
        The field in the frame of the residual's grid; one Gaussian without density where there is nothing to explain.
    """
    inverse = [_interpolating(n, config.sigma).to(residual) for n in residual.shape]
    density = apply_along_axes(residual, inverse)
    at = _strongest(density, min(config.most, max(1, int(density.numel() / config.voxels_each)))).nonzero()
    if len(at) == 0:
        at = at.new_zeros(1, 3)
    millimetres = residual.new_tensor(spacing)
    middle = residual.new_tensor([(n - 1) / 2 for n in residual.shape])
    count = (len(at), 1)
    return SignedGaussians(
        means=((at - middle) * millimetres).flip(-1),
        log_scales=(config.sigma * millimetres).log().flip(-1).repeat(count),
        quats=residual.new_tensor([1.0, 0.0, 0.0, 0.0]).repeat(count),
        z=density[tuple(at.T)],
        slope=residual.new_ones(()),
    )


def _interpolating(n: int, sigma: float) -> Float[Tensor, "n n"]:
    """From values at voxels along an axis to the densities of Gaussians around them that sum to these values."""
    distance = np.subtract.outer(np.arange(n), np.arange(n))
    return torch.from_numpy(np.linalg.inv(np.exp(-0.5 * (distance / sigma) ** 2)))


def _strongest(density: Float[Tensor, "z y x"], count: int) -> Tensor:
    """A mask of the `count` densities of largest magnitude that are not zero, or of a few more where some are equal."""
    strength = density.abs()
    if count >= strength.numel():
        return strength > 0
    least = float(np.partition(strength.cpu().numpy().ravel(), -count)[-count])
    return (strength >= least) & (strength > 0)

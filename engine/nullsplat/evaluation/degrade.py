"""Low-resolution, low-dose volumes made from a truth, written independently of the engine's operators.

A bug in `nullsplat.physics` must not cancel out against itself, so nothing of it is used here.
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import ConfigurationError, GeometryError
from nullsplat.core.seeds import numpy_generator

FWHM_IN_SIGMA = 2.3548


@dataclass(frozen=True)
class Protocol:
    """How a truth is degraded.

    Attributes:
        kind: `iso`, a Gaussian of FWHM = factor voxels along all axes, sampled at block centres;
            `thick`, the mean of factor slices.
        factor: voxels per sample along the axes that are degraded.
        noise_hu: standard deviation of the Gaussian noise on the low-resolution volume, in HU.
    """

    kind: Literal["iso", "thick"]
    factor: int
    noise_hu: float = 0.0

    @property
    def name(self) -> str:
        """For example `iso4`, or `thick4+15HU` with noise."""
        return f"{self.kind}{self.factor}" + (f"+{self.noise_hu:g}HU" if self.noise_hu else "")

    @property
    def scale(self) -> tuple[float, float, float]:
        """Factor along (z, y, x)."""
        factor = float(self.factor)
        return (factor, factor, factor) if self.kind == "iso" else (factor, 1.0, 1.0)


def protocol(name: str, noise_hu: float = 0.0) -> Protocol:
    """The protocol called `iso<factor>` or `thick<factor>`.

    Raises:
        ConfigurationError: another name, a factor below 2, or negative noise.
    """
    match = re.fullmatch(r"(iso|thick)([2-9]|[1-9]\d)", name)
    if match is None or noise_hu < 0:
        raise ConfigurationError(
            f"a protocol is iso<factor> or thick<factor>, such as iso4, with noise of 0 HU or more; "
            f"got {name!r} with {noise_hu} HU"
        )
    return Protocol("iso" if match[1] == "iso" else "thick", int(match[2]), noise_hu)


def crop_to_blocks(hu: Float[ndarray, "z y x"], how: Protocol) -> Float[ndarray, "_ _ _"]:
    """The first whole blocks along each axis that is degraded; a view.

    Raises:
        GeometryError: less than one block.
    """
    sizes = [n // int(s) * int(s) for n, s in zip(hu.shape, how.scale, strict=True)]
    if min(sizes) == 0:
        raise GeometryError(
            f"{how.name} needs at least one block of {how.scale} voxels, got a volume of {hu.shape}"
        )
    return hu[: sizes[0], : sizes[1], : sizes[2]]


def degrade(truth: Float[ndarray, "z y x"], how: Protocol, seed: int = 0) -> Float[ndarray, "_ _ _"]:
    """The volume that a scanner of lower resolution and dose would have delivered, in HU.

    Args:
        truth: HU, whole blocks along each axis (see `crop_to_blocks`).
        how: the protocol.
        seed: of the noise.
    Raises:
        GeometryError: the truth is not made of whole blocks.
    """
    if crop_to_blocks(truth, how).shape != truth.shape:
        raise GeometryError(
            f"{how.name} needs multiples of {how.scale} voxels, got {truth.shape}; crop it first"
        )
    low = _thick(truth, how.factor) if how.kind == "thick" else _iso(truth, how.factor)
    if how.noise_hu:
        noise = numpy_generator(seed, "evaluation", how.name).standard_normal(low.shape, dtype=np.float32)
        low = low + noise.astype(low.dtype) * low.dtype.type(how.noise_hu)
    return low


def _thick(truth: Float[ndarray, "z y x"], factor: int) -> Float[ndarray, "_ y x"]:
    mean: ndarray = truth.reshape(truth.shape[0] // factor, factor, *truth.shape[1:]).mean(axis=1)
    return mean


def _iso(truth: Float[ndarray, "z y x"], factor: int) -> Float[ndarray, "_ _ _"]:
    for axis in (0, 1, 2):
        truth = np.moveaxis(_sampled_gaussian(np.moveaxis(truth, axis, 0), factor), 0, axis)
    return np.ascontiguousarray(truth)


def _sampled_gaussian(truth: Float[ndarray, "n _ _"], factor: int) -> Float[ndarray, "_ _ _"]:
    """Weighted mean over the voxels within five sigma of each block centre, along the first axis."""
    sigma = factor / FWHM_IN_SIGMA
    low = np.empty((truth.shape[0] // factor, *truth.shape[1:]), truth.dtype)
    for i in range(low.shape[0]):
        centre = (i + 0.5) * factor - 0.5
        first, last = max(int(centre - 5 * sigma), 0), min(int(centre + 5 * sigma) + 2, truth.shape[0])
        weights = np.exp(-0.5 * ((np.arange(first, last) - centre) / sigma) ** 2)
        low[i] = np.tensordot((weights / weights.sum()).astype(truth.dtype), truth[first:last], axes=1)
    return low

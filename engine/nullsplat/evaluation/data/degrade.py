"""Low-resolution, low-dose volumes made from a truth, written independently of the engine's operators.

A bug in `nullsplat.physics` must not cancel out against itself, so nothing of it is used here.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import ConfigurationError, GeometryError
from nullsplat.core.seeds import numpy_generator

FWHM_IN_SIGMA = 2.3548

HELICAL_WEIGHTS = (0.022, 0.067, 0.128, 0.181, 0.203, 0.179, 0.128, 0.067, 0.022)
"""Of the 1 mm slices in a 5 mm slice of one helical scan, -4 to 4 mm, by least squares: a Philips Ingenuity, pitch
0.391, 64 x 0.625 mm; the phantom of github.com/neurolabusc/dcm_qa_ct, see docs/slice-profile.md."""
HELICAL_STEPS = 5
"""Of those weights in a slice thickness."""


Kind = Literal["iso", "thick", "bell", "isothick", "isobell"]


@dataclass(frozen=True)
class Protocol:
    """How a truth is degraded.

    Attributes:
        kind: `thick`, the mean of factor slices; `bell`, factor slices as a helical scanner weights them; `iso`, a
            Gaussian of FWHM = factor voxels along all axes, sampled at block centres; `isothick` and `isobell`, the
            mean and the helical weights along all axes.
        factor: voxels per sample along the axes that are degraded.
        noise_hu: standard deviation of the Gaussian noise on the low-resolution volume, in HU.
    """

    kind: Kind
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
        return (factor, factor, factor) if self.all_axes else (factor, 1.0, 1.0)

    @property
    def all_axes(self) -> bool:
        """Whether pixels are coarser too."""
        return self.kind.startswith("iso")


def protocol(name: str, noise_hu: float = 0.0) -> Protocol:
    """The protocol of a name such as `iso4`: a kind and a factor.

    Raises:
        ConfigurationError: another name, a factor below 2, or negative noise.
    """
    match = re.fullmatch(r"([a-z]+)([2-9]|[1-9]\d)", name)
    if match is None or match[1] not in KINDS or noise_hu < 0:
        raise ConfigurationError(
            f"a protocol is one of {', '.join(KINDS)} and a factor, such as iso4, with noise of 0 HU or more; "
            f"got {name!r} with {noise_hu} HU"
        )
    return Protocol(KINDS[match[1]], int(match[2]), noise_hu)


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
    low = truth
    for axis in range(3 if how.all_axes else 1):
        low = np.moveaxis(_ALONG_ONE_AXIS[how.kind](np.moveaxis(low, axis, 0), how.factor), 0, axis)
    low = np.ascontiguousarray(low)
    if how.noise_hu:
        noise = numpy_generator(seed, "evaluation", how.name).standard_normal(low.shape, dtype=np.float32)
        low = low + noise.astype(low.dtype) * low.dtype.type(how.noise_hu)
    return low


def _thick(truth: Float[ndarray, "n _ _"], factor: int) -> Float[ndarray, "_ _ _"]:
    mean: ndarray = truth.reshape(truth.shape[0] // factor, factor, *truth.shape[1:]).mean(axis=1)
    return mean


def _bell(truth: Float[ndarray, "n _ _"], factor: int) -> Float[ndarray, "_ _ _"]:
    """Every slice a weighted mean of those about its centre; at the ends, of those that there are."""
    low = np.empty((truth.shape[0] // factor, *truth.shape[1:]), truth.dtype)
    for i in range(low.shape[0]):
        distance = np.arange(truth.shape[0]) - ((i + 0.5) * factor - 0.5)
        inside = np.flatnonzero(np.abs(distance) < factor + 0.5)
        weights = _helical_weights(distance[inside] / factor, 1 / factor)
        low[i] = np.tensordot((weights / weights.sum()).astype(truth.dtype), truth[inside], axes=1)
    return low


def _helical_weights(distance: Float[ndarray, "n"], width: float) -> Float[ndarray, "n"]:
    """The measured curve, averaged over a slice of some `width`; both in slice thicknesses."""
    curve = np.concatenate([[0.0], HELICAL_WEIGHTS, [0.0]])
    at = (np.arange(len(curve)) - len(curve) // 2) / HELICAL_STEPS
    across = (np.arange(20) + 0.5) / 20 - 0.5
    weights: ndarray = np.interp(distance[:, None] + across * width, at, curve).mean(axis=1)
    return weights


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


KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
_ALONG_ONE_AXIS = {
    "iso": _sampled_gaussian,
    "thick": _thick,
    "bell": _bell,
    "isothick": _thick,
    "isobell": _bell,
}

"""Point-spread functions along one axis, and the matrices of averaging with one and sampling; without torch, which takes seconds to import."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import GeometryError

FWHM_PER_SIGMA = 2.3548
"""Full width at half maximum of a Gaussian, in standard deviations."""


@dataclass(frozen=True)
class PointSpread:
    """How one low-resolution sample averages over an axis.

    Attributes:
        kind: `gaussian`; `bell`, a raised cosine, as helical scanners weight a slice (docs/adr/0013); `box`, as
            sequential ones do; `table`, a measured curve; or `point`, no average.
        width: FWHM, in distances between low-resolution samples; of a table, the distance of its entries. Slices
            that are twice as thick as they are far apart have width 2.
        table: an odd number of weights about the sample's centre, read linearly; for the kind `table` alone.
    """

    kind: Literal["gaussian", "bell", "box", "table", "point"] = "gaussian"
    width: float = 1.0
    table: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what averages over nothing.

        Raises:
            GeometryError: the width is not positive and finite, or a table has no middle, no end or no sum.
        """
        if not (np.isfinite(self.width) and self.width > 0):
            raise GeometryError(f"a point-spread function needs a positive width, got {self.width}")
        if (self.kind == "table") != bool(self.table):
            raise GeometryError(f"a table of weights belongs to the kind table alone, got kind {self.kind}")
        if self.table and (
            len(self.table) % 2 == 0 or not np.isfinite(self.table).all() or sum(self.table) <= 0
        ):
            raise GeometryError(
                f"a table must hold an odd number of finite weights with a positive sum, got {len(self.table)}"
            )


GAUSSIAN = PointSpread("gaussian")
BELL = PointSpread("bell")
BOX = PointSpread("box")
POINT = PointSpread("point")


def sample_centres(n_lr: int, n_hr: int) -> Float[ndarray, " lr"]:
    """Where low-resolution samples lie, as high-resolution indices: (i + 1/2) s - 1/2 with s = n_hr / n_lr."""
    return (np.arange(n_lr) + 0.5) * (n_hr / n_lr) - 0.5


def degradation_matrix(n_lr: int, n_hr: int, psf: PointSpread) -> Float[ndarray, "lr hr"]:
    """Rows that average `n_hr` voxels into `n_lr` samples; each row sums to 1, also at the border.

    Args:
        n_lr: samples.
        n_hr: voxels; s = n_hr / n_lr need not be an integer.
        psf: its width is turned into voxels by multiplying with s.
    Raises:
        GeometryError: fewer voxels than samples, or none; a measured curve that averages over nothing.
    """
    if not 1 <= n_lr <= n_hr:
        raise GeometryError(f"an axis needs 1 <= low-resolution samples <= voxels, got {n_lr} and {n_hr}")
    weights = voxel_weights(np.arange(n_hr) - sample_centres(n_lr, n_hr)[:, None], n_hr / n_lr, psf)
    sums = weights.sum(1, keepdims=True)
    if not (sums > 0).all():
        raise GeometryError(
            "negative weights of a measured profile outweigh the others at the border; leave them out"
        )
    normalised: ndarray = weights / sums
    return normalised


def voxel_weights(offset: Float[ndarray, "lr hr"], scale: float, psf: PointSpread) -> Float[ndarray, "lr hr"]:
    """What voxels count for samples, not normalised.

    Args:
        offset: of each voxel's centre from each sample's, in voxels.
        scale: voxels in the distance between samples.
        psf: of the samples.
    """
    width = psf.width * scale
    if psf.kind == "gaussian":
        return _gaussian(offset, width / FWHM_PER_SIGMA)
    if psf.kind == "bell":
        return _raised_cosine(offset, width)
    if psf.kind == "box":
        return _overlap(offset, width / 2)
    if psf.kind == "table":
        return _between_entries(offset, width, psf.table)
    point: ndarray = np.clip(1 - np.abs(offset), 0, None)
    return point


def _gaussian(offset: Float[ndarray, "lr hr"], sigma: float) -> Float[ndarray, "lr hr"]:
    # relative to the nearest voxel, so that a very narrow Gaussian does not underflow to an empty row
    exponent: ndarray = (np.square(offset).min(1, keepdims=True) - np.square(offset)) / (2 * sigma**2)
    weights: ndarray = np.exp(exponent)
    return weights


def _raised_cosine(offset: Float[ndarray, "lr hr"], fwhm: float) -> Float[ndarray, "lr hr"]:
    """Mean over each voxel of (1 + cos(pi x / FWHM)) / 2 for |x| < FWHM."""

    def integral(x: Float[ndarray, "lr hr"]) -> Float[ndarray, "lr hr"]:
        t = np.clip(x / fwhm, -1, 1)
        return fwhm * (t + np.sin(np.pi * t) / np.pi) / 2

    weights: ndarray = integral(offset + 0.5) - integral(offset - 0.5)
    return weights


def _between_entries(
    offset: Float[ndarray, "lr hr"], step: float, table: tuple[float, ...]
) -> Float[ndarray, "lr hr"]:
    """Mean over each voxel of the lines between the entries, which lie `step` voxels apart and end in 0."""

    def integral_of_a_tent(x: Float[ndarray, "lr hr"]) -> Float[ndarray, "lr hr"]:
        t = np.clip(x / step, -1, 1)
        return step * (0.5 + t - t * np.abs(t) / 2)

    weights = np.zeros_like(offset)
    for place, entry in enumerate(table, -(len(table) // 2)):
        x = offset - place * step
        weights += entry * (integral_of_a_tent(x + 0.5) - integral_of_a_tent(x - 0.5))
    return weights


def _overlap(offset: Float[ndarray, "lr hr"], half_width: float) -> Float[ndarray, "lr hr"]:
    """Length that the box has in common with each voxel, which reaches 1/2 to either side of its centre."""
    right, left = np.minimum(offset + 0.5, half_width), np.maximum(offset - 0.5, -half_width)
    overlap: ndarray = np.clip(right - left, 0, None)
    return overlap

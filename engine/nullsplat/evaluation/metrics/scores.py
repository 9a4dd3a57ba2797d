"""How close a result is to the truth, and to the measurement."""

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage
from skimage.metrics import structural_similarity

from nullsplat.core.errors import GeometryError
from nullsplat.core.tissue import TISSUE_HU
from nullsplat.evaluation.data.degrade import Protocol, degrade

CLIP_HU = (-512.0, 3071.0)
"""The range that is compared; what lies outside is clipped, as in the paper."""

REGIONS_HU = TISSUE_HU
"""Ranges of the truth inside the body."""

_CROSS_IN_PLANE = ndimage.generate_binary_structure(2, 1)[None]
_WINDOW = 7  # scikit-image's default for SSIM
_SLAB = 16  # slices of SSIM at a time: memory then does not grow with the volume


@dataclass(frozen=True)
class Scores:
    """Figures of one result.

    Attributes:
        psnr: dB, data range 1 after `to_unit`.
        ssim: structural similarity in three dimensions, data range 1 after `to_unit`.
        rmse_hu: HU without clipping, inside the body and in the regions of `REGIONS_HU` that it holds.
        lr_consistency_rmse_hu: HU between the degraded result and the measurement; None if there is none.
    """

    psnr: float
    ssim: float
    rmse_hu: dict[str, float]
    lr_consistency_rmse_hu: float | None = None

    def as_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return asdict(self)


def score(
    result: Float[ndarray, "z y x"],
    truth: Float[ndarray, "z y x"],
    measured: Float[ndarray, "_ _ _"] | None = None,
    how: Protocol | None = None,
    regions_of: Float[ndarray, "z y x"] | None = None,
) -> Scores:
    """All figures of a result, in HU like the truth.

    Args:
        result: HU.
        truth: HU.
        measured: what the engine was given, in HU; needs `how`.
        how: the degradation that led to `measured`.
        regions_of: HU that body, lung, soft tissue and bone are found in; the truth itself by default. A truth
            that was clipped to [-512, 3071] HU shows no lung any more.
    Raises:
        GeometryError: the shapes do not fit.
    """
    consistency = (
        lr_consistency_rmse(result, measured, how) if measured is not None and how is not None else None
    )
    a, b = to_unit(result), to_unit(truth)
    return Scores(psnr(a, b), ssim(a, b), rmse_by_region(result, truth, regions_of), consistency)


def to_unit(hu: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
    """HU clipped to [-512, 3071] and scaled to [0, 1]."""
    low, high = CLIP_HU
    clipped: ndarray = np.clip(hu, low, high)
    clipped -= clipped.dtype.type(low)
    clipped /= clipped.dtype.type(high - low)
    return clipped


def psnr(result: Float[ndarray, "*shape"], truth: Float[ndarray, "*shape"]) -> float:
    """Peak signal-to-noise ratio in dB for data range 1; infinite if both are equal."""
    mean_square = float(np.mean(np.square(result - truth), dtype=np.float64))
    return -10 * float(np.log10(mean_square)) if mean_square > 0 else float("inf")


def ssim(result: Float[ndarray, "z y x"], truth: Float[ndarray, "z y x"]) -> float:
    """Mean structural similarity for data range 1: scikit-image's, a slab of slices at a time.

    Raises:
        GeometryError: an axis is shorter than the window of 7 voxels.
    """
    if min(truth.shape) < _WINDOW:
        raise GeometryError(f"SSIM needs at least {_WINDOW} voxels along each axis, got {truth.shape}")
    border = _WINDOW // 2
    total = 0.0
    for first in range(border, truth.shape[0] - border, _SLAB):
        last = min(first + _SLAB, truth.shape[0] - border)
        slab = slice(first - border, last + border)
        _, similarity = structural_similarity(  # type: ignore[no-untyped-call]
            truth[slab], result[slab], data_range=1.0, win_size=_WINDOW, full=True
        )
        total += float(similarity[border:-border, border:-border, border:-border].sum(dtype=np.float64))
    return total / float(np.prod([n - 2 * border for n in truth.shape]))


def rmse_by_region(
    result: Float[ndarray, "z y x"],
    truth: Float[ndarray, "z y x"],
    regions_of: Float[ndarray, "z y x"] | None = None,
) -> dict[str, float]:
    """Root mean square error in HU inside the body and in its lung, soft tissue and bone.

    Args:
        result: HU.
        truth: HU.
        regions_of: HU that the regions are found in, for example the truth before it was clipped; `truth` by
            default.
    """
    source = truth if regions_of is None else regions_of
    body = body_mask(source)
    square = np.square(result - truth)
    masks = {"body": body}
    for name, (low, high) in REGIONS_HU.items():
        masks[name] = body & (source >= low) & (source <= high)
    return {
        name: float(np.sqrt(np.mean(square[mask], dtype=np.float64)))
        for name, mask in masks.items()
        if mask.any()
    }


def body_mask(hu: Float[ndarray, "z y x"]) -> Bool[ndarray, "z y x"]:
    """The patient without table and surrounding air: the largest connected part, holes filled slice by slice."""
    dense = hu > -400
    opened = ndimage.binary_opening(dense, _CROSS_IN_PLANE, iterations=2)  # the table touches in a thin line
    labels, count = ndimage.label(opened)
    if count == 0:
        return dense
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.stack([ndimage.binary_fill_holes(axial) for axial in largest])


def lr_consistency_rmse(
    result: Float[ndarray, "z y x"], measured: Float[ndarray, "_ _ _"], how: Protocol
) -> float:
    """Root mean square difference in HU between the result, degraded without noise, and the measurement.

    Raises:
        GeometryError: `measured` is not the shape that `how` makes of `result`.
    """
    degraded = degrade(result, Protocol(how.kind, how.factor))
    if degraded.shape != measured.shape:
        raise GeometryError(
            f"{how.name} makes {degraded.shape} of the result, but {measured.shape} was measured"
        )
    return float(np.sqrt(np.mean(np.square(degraded - measured), dtype=np.float64)))

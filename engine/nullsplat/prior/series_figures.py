"""What of a series decides whether a prior knows its kind, in figures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.units import LOWEST_HU
from nullsplat.prior.conditions import conditions_of
from nullsplat.prior.task import Task

Figures = dict[str, float]
"""By the names in `FIGURES`."""


@dataclass(frozen=True)
class Figure:
    """One of them.

    Attributes:
        title: as the subject of a sentence.
        unit: with the space that stands before it.
        percent: whether it is a share that people read in percent.
        only_above: whether less than a prior was trained on is no concern.
    """

    title: str
    unit: str = ""
    percent: bool = False
    only_above: bool = False

    def told(self, value: float) -> str:
        """A value in words."""
        return f"{100 * value:.3g} %" if self.percent else f"{value:.3g}{self.unit}"


CONTRADICTED = "contradicted_share"
"""The figure that only the network's own answer has."""

FIGURES: dict[str, Figure] = {
    "wanted_slice_mm": Figure("the slice spacing of the result", " mm"),
    "wanted_pixel_mm": Figure("the pixel spacing of the result", " mm"),
    "slice_factor": Figure("the factor across slices"),
    "pixel_factor": Figure("the factor within slices"),
    "slice_spread": Figure("the width of the slice profile (standard deviation)", " slice spacings"),
    "noise_hu": Figure("the noise", " HU", only_above=True),
    "kernel_sharpness": Figure(
        "the power of high frequencies within the slices, relative to that of low ones (kernel)",
        percent=True,
        only_above=True,
    ),
    "metal_share": Figure("the share of voxels as dense as metal", percent=True, only_above=True),
    CONTRADICTED: Figure(
        "the share of voxels whose measurement the network did not expect", percent=True, only_above=True
    ),
}
"""What is compared with a prior's training data."""

METAL_HU = 2500.0
"""Denser than cortical bone and enamel."""

_SLICES = 8
_BODY_HU = -800.0


def series_figures(
    hu: Float[ndarray, "m n o"], task: Task, contradicted_share: float | None = None
) -> Figures:
    """The figures of a measured volume.

    Args:
        hu: in HU.
        task: what is asked of it.
        contradicted_share: of the network's answer, where it gave one, see `pipeline.slab_stage`.
    """
    told = conditions_of(task.op, task.spacing, task.noise_hu, 0.0)
    found = {
        "wanted_slice_mm": told.spacing[0],
        "wanted_pixel_mm": (told.spacing[1] * told.spacing[2]) ** 0.5,
        "slice_factor": told.factors[0],
        "pixel_factor": max(told.factors[1:]),
        "slice_spread": told.spreads[0],
        "noise_hu": told.noise_hu,
        "kernel_sharpness": kernel_sharpness(hu, told.noise_hu),
        "metal_share": float(np.mean(hu > METAL_HU)),
    }
    return found if contradicted_share is None else {**found, CONTRADICTED: contradicted_share}


def kernel_sharpness(hu: Float[ndarray, "z y x"], noise_hu: float) -> float:
    """Power of gradients beyond half the Nyquist frequency of the slices over that below it, without noise; of the median slice.

    An image interpolated to twice its pixels has next to none. Where noise has more than half of all power, it hides the
    kernel, and the answer is 0.

    Args:
        hu: volume in HU; the slices that hold most of the body are looked at.
        noise_hu: standard deviation of white noise, see `physics.noise`.
    """
    body = np.argsort((hu > _BODY_HU).mean((1, 2)))[-_SLICES:]
    return float(np.median([_high_to_low(_centred(hu[z]), noise_hu) for z in body]))


def _centred(image: Float[ndarray, "y x"]) -> Float[ndarray, "y x"]:
    raised = np.maximum(image, LOWEST_HU).astype(np.float64)
    centred: ndarray = raised - raised.mean()
    return centred


def _high_to_low(image: Float[ndarray, "y x"], noise_hu: float) -> float:
    rows, columns = (2 * np.fft.fftfreq(n) for n in image.shape)
    radius = np.hypot(rows[:, None], columns)
    window = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])
    power = np.square(np.abs(np.fft.fft2(window * image)) * radius)
    noise = np.square(noise_hu * radius) * np.square(window).sum()
    within, high = radius <= 1, (radius > 0.5) & (radius <= 1)
    if noise[within].sum() > power[within].sum() / 2:
        return 0.0
    left = power - noise
    above, below = float(left[high].sum()), float(left[within & ~high].sum())
    return max(above, 0.0) / below if below > 0 else 0.0

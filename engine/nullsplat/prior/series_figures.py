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
    "sharpness": Figure(
        "the share of high frequencies within the slices (kernel and noise)", percent=True, only_above=True
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
        "sharpness": sharpness(hu),
        "metal_share": float(np.mean(hu > METAL_HU)),
    }
    return found if contradicted_share is None else {**found, CONTRADICTED: contradicted_share}


def sharpness(hu: Float[ndarray, "z y x"]) -> float:
    """Share of the power of gradients that lies beyond half the Nyquist frequency of the slices; of the median slice.

    White noise has 0.94 of it there, an image interpolated to twice its pixels next to nothing.

    Args:
        hu: volume in HU; the slices that hold most of the body are looked at.
    """
    body = np.argsort((hu > _BODY_HU).mean((1, 2)))[-_SLICES:]
    window = np.hanning(hu.shape[1])[:, None] * np.hanning(hu.shape[2])
    shares = [_high_share(window * _centred(hu[z])) for z in body]
    return float(np.median(shares))


def _centred(image: Float[ndarray, "y x"]) -> Float[ndarray, "y x"]:
    raised = np.maximum(image, LOWEST_HU).astype(np.float64)
    centred: ndarray = raised - raised.mean()
    return centred


def _high_share(image: Float[ndarray, "y x"]) -> float:
    rows, columns = (2 * np.fft.fftfreq(n) for n in image.shape)
    radius = np.hypot(rows[:, None], columns)
    power = np.square(np.abs(np.fft.fft2(image)) * radius)
    total = float(power[radius <= 1].sum())
    return float(power[(radius > 0.5) & (radius <= 1)].sum()) / total if total > 0 else 0.0

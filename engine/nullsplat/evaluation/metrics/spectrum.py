"""At which frequencies a result is wrong."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from jaxtyping import Float, Int
from numpy import ndarray

from nullsplat.evaluation.metrics.scores import CLIP_HU

BANDS = 16
"""Bands between 0 and the Nyquist frequency; one more holds the corners of the spectrum beyond it."""


@dataclass(frozen=True)
class Spectrum:
    """Power by radial frequency, in HU^2 after clipping to [-512, 3071] HU.

    Attributes:
        edges: limits of the bands in units of the Nyquist frequency of each axis; the last is sqrt(3).
        error: mean square error that each band holds; their sum is the mean square error.
        truth: the same for the truth without its mean.
    """

    edges: list[float]
    error: list[float]
    truth: list[float]


def error_spectrum(result: Float[ndarray, "z y x"], truth: Float[ndarray, "z y x"]) -> Spectrum:
    """Power of the error by frequency, and the truth's for comparison.

    The volume is taken as periodic, as the discrete Fourier transform does: an error that differs between
    opposite borders spreads over all bands.
    """
    clipped = np.clip(truth, *CLIP_HU)
    error = np.clip(result, *CLIP_HU) - clipped
    nz, ny, nx = truth.shape
    band = _band_of((nz, ny, nx))
    edges = [*np.linspace(0, 1, BANDS + 1).tolist(), float(np.sqrt(3))]
    return Spectrum(edges, _power(error, band), _power(clipped - clipped.mean(dtype=np.float64), band))


def _band_of(shape: tuple[int, int, int]) -> Int[ndarray, "_ _ _"]:
    """Number of the band of each coefficient of `rfftn`; a limit belongs to the band above it."""
    nz, ny, nx = shape
    z, y, x = (
        2 * np.abs(f).astype(np.float32) for f in (*map(np.fft.fftfreq, (nz, ny)), np.fft.rfftfreq(nx))
    )
    radius = np.sqrt(np.square(z)[:, None, None] + np.square(y)[:, None] + np.square(x))
    band: ndarray = np.minimum((radius * BANDS).astype(np.int64), BANDS)
    return band


def _power(values: Float[ndarray, "z y x"], band: Int[ndarray, "z y half"]) -> list[float]:
    """Mean square of `values` by band; coefficients of `rfftn` stand for themselves and their mirror image."""
    columns = values.shape[2]
    square = np.square(np.abs(scipy.fft.rfftn(values))).astype(np.float64)
    mirrored = slice(1, (columns + 1) // 2)
    square[:, :, mirrored] *= 2
    power = np.bincount(band.ravel(), square.ravel(), minlength=BANDS + 1) / float(values.size) ** 2
    return [float(value) for value in power]

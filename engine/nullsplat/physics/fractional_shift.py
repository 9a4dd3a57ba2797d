"""Moves an image by a part of a pixel without blurring it: as a band-limited signal, by the shift theorem.

Linear interpolation by half a pixel is a low-pass that takes the noise and the finest detail away, and from slice to
slice another share of them. A shift of the phase leaves every frequency its amplitude.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def shifted(image: Float[ndarray, "y x"], by: tuple[float, float]) -> Float[ndarray, "y x"]:
    """The image moved by a vector: pixel (y, x) of the result shows what lay at (y, x) - by.

    Args:
        image: values on a regular grid; beyond its edges it is taken to be mirrored, which keeps it continuous.
        by: pixels along y and x; meant for less than one pixel, since what leaves the grid is lost.
    """
    for axis, pixels in enumerate(by):
        if pixels:
            image = _along(image, pixels, axis)
    return image


def _along(image: Float[ndarray, "y x"], pixels: float, axis: int) -> Float[ndarray, "y x"]:
    size = image.shape[axis]
    mirrored = np.concatenate([image, np.flip(image, axis)], axis)
    phase = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * size) * pixels)
    spectrum = np.fft.rfft(mirrored, axis=axis) * (phase[:, None] if axis == 0 else phase)
    moved = np.fft.irfft(spectrum, 2 * size, axis)
    kept: ndarray = np.take(moved, np.arange(size), axis).astype(image.dtype)
    return kept

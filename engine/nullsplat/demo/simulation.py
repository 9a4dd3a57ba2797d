"""A low-dose, thick-slice scan, made from a scan with thinner slices that is kept aside as the truth."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import GeometryError
from nullsplat.core.seeds import numpy_generator
from nullsplat.core.volume import Geometry, Volume

DETECTOR_FLOOR_HU = -1024.0


@dataclass(frozen=True)
class Simulation:
    """What was scanned, and what the scanner made of it.

    Attributes:
        truth: the slices that went in, in HU; nobody but the final comparison sees them.
        scan: the thick, noisy slices, in HU.
    """

    truth: Volume
    scan: Volume


def simulate(volume: Volume, factor: int, noise_hu: float, seed: int) -> Simulation:
    """Average every `factor` slices and add Gaussian noise; slices that fill no whole group are left out.

    Written apart from the engine's own degradation, so that a fault there cannot cancel itself out.

    Raises:
        GeometryError: fewer than two groups of slices, or groups of none.
    """
    slices = volume.geometry.shape[0]
    if factor < 1 or slices < 2 * factor:
        raise GeometryError(f"two groups of {factor} slices are needed, got {slices} slices")
    groups = slices // factor
    hu = np.maximum(volume.hu[: groups * factor], np.float32(DETECTOR_FLOOR_HU))
    truth = Volume(hu, replace(volume.geometry, shape=hu.shape))
    thick = _average_slices(hu, factor)
    noise = numpy_generator(seed, "demo", "noise").normal(0.0, noise_hu, thick.shape)
    noisy = np.maximum(thick + noise, DETECTOR_FLOOR_HU).astype(np.float32)
    return Simulation(truth, Volume(noisy, _thick_geometry(truth.geometry, groups)))


def _average_slices(hu: Float[ndarray, "z y x"], factor: int) -> Float[ndarray, "m y x"]:
    groups = range(0, hu.shape[0], factor)
    return np.stack([hu[first : first + factor].mean(axis=0, dtype=np.float64) for first in groups])


def _thick_geometry(thin: Geometry, slices: int) -> Geometry:
    _, rows, columns = thin.shape
    return thin.resampled((slices, rows, columns))

"""A low-dose, helical scan in thick slices, made from a scan with thinner ones that is kept aside as the truth."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import GeometryError
from nullsplat.core.seeds import numpy_generator
from nullsplat.core.units import LOWEST_HU
from nullsplat.core.volume import Volume
from nullsplat.evaluation.data.degrade import Protocol, crop_to_blocks, degrade


@dataclass(frozen=True)
class Simulation:
    """What was scanned, and what the scanner made of it.

    Attributes:
        truth: the slices that went in, in HU; nobody but the final comparison sees them.
        scan: the thick, noisy slices, in whole HU as CT images are.
        how: the degradation between the two.
    """

    truth: Volume
    scan: Volume
    how: Protocol


def simulate(volume: Volume, factor: int, noise_hu: float, seed: int) -> Simulation:
    """Weight slices as a helical scanner does and add noise; slices that fill no whole group are left out.

    The noise is white in the thin slices and weighted like them, so that neighbouring thick slices share a part of it.

    Raises:
        GeometryError: fewer than two groups of slices, or groups of less than two.
    """
    slices = volume.geometry.shape[0]
    if factor < 2 or slices < 2 * factor:
        raise GeometryError(
            f"two groups of {max(factor, 2)} slices are needed, got {slices} slices and {factor=}"
        )
    how = Protocol("bell", factor, noise_hu)
    hu = np.maximum(crop_to_blocks(volume.hu, how), np.float32(LOWEST_HU))
    truth = Volume(hu, replace(volume.geometry, shape=(hu.shape[0], hu.shape[1], hu.shape[2])))
    clean = replace(how, noise_hu=0.0)
    low = degrade(hu, clean) + noise_hu * _unit_noise(hu.shape, clean, seed)
    measured = np.rint(np.maximum(low, np.float32(LOWEST_HU))).astype(np.float32)
    thick = truth.geometry.resampled((measured.shape[0], measured.shape[1], measured.shape[2]))
    return Simulation(truth, Volume(measured, thick), how)


def _unit_noise(shape: tuple[int, ...], how: Protocol, seed: int) -> Float[ndarray, "_ y x"]:
    """Noise of deviation 1 on the scan's grid."""
    white = numpy_generator(seed, "demo", how.name).standard_normal(shape, dtype=np.float32)
    noise = degrade(white, how)
    scaled: ndarray = noise / noise.std()
    return scaled

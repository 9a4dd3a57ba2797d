"""A low-dose, thick-slice scan, made from a scan with thinner slices that is kept aside as the truth."""

from dataclasses import dataclass, replace

import numpy as np

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Volume
from nullsplat.evaluation.degrade import Protocol, crop_to_blocks, degrade

DETECTOR_FLOOR_HU = np.float32(-1024.0)


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
    """Average every `factor` slices and add Gaussian noise; slices that fill no whole group are left out.

    Raises:
        GeometryError: fewer than two groups of slices, or groups of less than two.
    """
    slices = volume.geometry.shape[0]
    if factor < 2 or slices < 2 * factor:
        raise GeometryError(
            f"two groups of {max(factor, 2)} slices are needed, got {slices} slices and {factor=}"
        )
    how = Protocol("thick", factor, noise_hu)
    hu = np.maximum(crop_to_blocks(volume.hu, how), DETECTOR_FLOOR_HU)
    truth = Volume(hu, replace(volume.geometry, shape=(hu.shape[0], hu.shape[1], hu.shape[2])))
    measured = np.rint(np.maximum(degrade(hu, how, seed), DETECTOR_FLOOR_HU))
    thick = truth.geometry.resampled((measured.shape[0], measured.shape[1], measured.shape[2]))
    return Simulation(truth, Volume(measured, thick), how)

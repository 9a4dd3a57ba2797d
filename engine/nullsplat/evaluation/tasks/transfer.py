"""How sharply a method passes lesions on, and what its noise looks like, as vendors of scanners are judged.

Source: task transfer function and noise power spectrum as in AAPM TG-233 (2019).
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Complex, Float
from numpy import ndarray

from nullsplat.core.volume import Axes3

FREQUENCIES = np.arange(0.0, 0.505, 0.005)
"""Of transfer functions, in cycles per mm."""


@dataclass(frozen=True)
class Transfer:
    """The task transfer function along one axis, gathered lesion by lesion.

    What a method makes of a lesion, its noise and surroundings taken off, over what was put in: both summed over the
    other two axes, as spectra. Large lesions weigh more where they have more power.

    Attributes:
        product: of both spectra at `FREQUENCIES`, real part, summed over lesions.
        power: of what was put in, summed likewise.
    """

    product: Float[ndarray, " f"] = field(default_factory=lambda: np.zeros(len(FREQUENCIES)))
    power: Float[ndarray, " f"] = field(default_factory=lambda: np.zeros(len(FREQUENCIES)))

    @classmethod
    def of(
        cls, response: Float[ndarray, "z y x"], lesion: Float[ndarray, "z y x"], axis: int, mm: float
    ) -> "Transfer":
        """That of one lesion.

        Args:
            response: result with the lesion minus result without.
            lesion: what was put in.
            axis: along which.
            mm: distance of voxels along it.
        """
        seen, put = _spectrum(response, axis, mm), _spectrum(lesion, axis, mm)
        return cls((seen * put.conj()).real, np.square(np.abs(put)))

    def __add__(self, other: "Transfer") -> "Transfer":
        """Of the lesions of both."""
        return Transfer(self.product + other.product, self.power + other.power)

    @property
    def function(self) -> Float[ndarray, " f"]:
        """At `FREQUENCIES`; 1 at the lowest."""
        ratio: ndarray = self.product / np.maximum(self.power, 1e-30)
        level = float(ratio[0])
        normalised: ndarray = ratio / level if level > 0 else ratio
        return normalised

    @property
    def f50(self) -> float | None:
        """The frequency at which half is left, in cycles per mm; None where that lies beyond all that was measured."""
        below = np.flatnonzero(self.function < 0.5)
        if not len(below) or below[0] == 0:
            return None
        i = int(below[0])
        high, low = self.function[i - 1], self.function[i]
        return float(FREQUENCIES[i - 1] + (high - 0.5) / (high - low) * (FREQUENCIES[i] - FREQUENCIES[i - 1]))


def _spectrum(patch: Float[ndarray, "z y x"], axis: int, mm: float) -> Complex[ndarray, " f"]:
    line = patch.sum(tuple(other for other in range(3) if other != axis))
    at = (np.arange(len(line)) - len(line) // 2) * mm
    spectrum: ndarray = np.exp(-2j * np.pi * FREQUENCIES[:, None] * at) @ line
    return spectrum


@dataclass(frozen=True)
class Noise:
    """Of quiet places.

    Attributes:
        deviation_hu: standard deviation, in HU.
        mean_frequency: centre of the noise power spectrum within slices, in cycles per mm: coarse grain is low.
    """

    deviation_hu: float
    mean_frequency: float


def noise_of(patches: list[Float[ndarray, "z y x"]], spacing: Axes3) -> Noise:
    """The noise power spectrum within slices, summed up.

    Args:
        patches: of one size; a plane is taken off each of their slices.
        spacing: of their voxels, mm.
    """
    images = np.concatenate([_levelled(patch) for patch in patches])
    power = np.square(np.abs(np.fft.fft2(images))).mean(0) / images[0].size ** 2
    rows, columns = (np.fft.fftfreq(n, mm) for n, mm in zip(images.shape[1:], spacing[1:], strict=True))
    radius = np.hypot(rows[:, None], columns)
    within = radius <= 0.5 / max(spacing[1:])
    total = float(power.sum())
    centre = float((power * radius)[within].sum() / power[within].sum()) if total > 0 else 0.0
    return Noise(float(np.sqrt(total)), centre)


def _levelled(patch: Float[ndarray, "z y x"]) -> Float[ndarray, "z y x"]:
    """Each slice less the plane that fits it best."""
    _, ny, nx = patch.shape
    y, x = np.meshgrid(np.arange(ny), np.arange(nx), indexing="ij")
    plane = np.stack([np.ones(ny * nx), y.ravel(), x.ravel()], 1)
    flat = patch.reshape(len(patch), -1).T.astype(np.float64)
    fitted, *_ = np.linalg.lstsq(plane, flat, rcond=None)
    levelled: ndarray = (flat - plane @ fitted).T.reshape(patch.shape)
    return levelled

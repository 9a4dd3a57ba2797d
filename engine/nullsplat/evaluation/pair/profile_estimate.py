"""The slice profile of a scanner, by least squares from a thick and a thin reconstruction of one scan."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import GeometryError
from nullsplat.evaluation.pair.pair import Pair
from nullsplat.physics.profile import Profile

_REACH = 1.5  # slice thicknesses to each side
_EDGE_HU = 20.0  # standard deviation across the slices that a pixel needs to tell anything
_FEWEST_PIXELS = 1000
_NOISE_SHARE = 0.01  # of the largest weight: what ends a profile


@dataclass(frozen=True)
class ProfileEstimate:
    """A measured slice profile.

    Attributes:
        step_mm: distance of the weights, that of the thin slices.
        weights: of the thin slices in a thick one, about its centre; normalised to a sum of 1.
        sum: before that: 1 where both series have the same HU.
        fwhm_mm: full width at half maximum.
        centre_mm: centre of gravity; not 0 where one of the series is shifted.
        rms_hu: what the weighted thin slices miss of the thick ones, at the pixels that were used.
        slices: thick slices that were used.
        extent_mm: positions along the slice normal of the first and the last of them.
        pixels: equations.
    """

    step_mm: float
    weights: tuple[float, ...]
    sum: float
    fwhm_mm: float
    centre_mm: float
    rms_hu: float
    slices: int
    extent_mm: tuple[float, float]
    pixels: int

    @property
    def profile(self) -> Profile:
        """The profile as an option: symmetric about its middle, without the noise of its far ends."""
        weights = np.array(self.weights)
        symmetric: ndarray = np.clip((weights + weights[::-1]) / 2, 0, None)
        keep = np.flatnonzero(symmetric > _NOISE_SHARE * symmetric.max())
        kept: ndarray = symmetric[keep[0] : keep[-1] + 1]
        shares: ndarray = kept / kept.sum()
        return Profile("table", step_mm=self.step_mm, table=tuple(round(float(w), 4) for w in shares))

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**self.__dict__, "option": str(self.profile)}


def estimate_profile(pair: Pair, slice_thickness_mm: float) -> ProfileEstimate:
    """Weights w that make sum_j w_j thin_j the thick slice, for all pixels where the thin slices differ.

    Between thin slices the profile is a line, so that the two series need no common grid.

    Raises:
        GeometryError: too little of the thick series is covered by thin slices, or there are no edges in it.
    """
    step = pair.thin.geometry.spacing[0]
    reach = int(np.ceil(_REACH * slice_thickness_mm / step))
    n = 2 * reach + 1
    normal, target, power, count = np.zeros((n, n)), np.zeros(n), 0.0, 0
    used: list[float] = []
    for position, thin, thick in _equations(pair, reach):
        normal += thin @ thin.T
        target += thin @ thick
        power += float(thick @ thick)
        count += len(thick)
        used.append(position)
    if count < _FEWEST_PIXELS:
        raise GeometryError(
            f"a slice profile needs {_FEWEST_PIXELS} pixels at edges, with thin slices {reach * step:g} mm to both "
            f"sides of a thick one; got {count} in {len(used)} thick slices"
        )
    weights: ndarray = np.linalg.solve(normal, target)
    missed = max(power - 2 * weights @ target + weights @ normal @ weights, 0.0)
    total = float(weights.sum())
    shares: ndarray = weights / total
    at = np.arange(-reach, reach + 1) * step
    return ProfileEstimate(
        step_mm=step,
        weights=tuple(float(w) for w in shares),
        sum=total,
        fwhm_mm=_fwhm(at, weights),
        centre_mm=float(at @ shares),
        rms_hu=float(np.sqrt(missed / count)),
        slices=len(used),
        extent_mm=(min(used), max(used)),
        pixels=count,
    )


def _equations(
    pair: Pair, reach: int
) -> Iterator[tuple[float, Float[ndarray, "weights pixels"], Float[ndarray, " pixels"]]]:
    """For each thick slice that thin ones cover: its position, those at whole steps from it, and itself."""
    normal = np.asarray(pair.thick.geometry.axes[0])
    start = float(np.subtract(pair.thick.geometry.origin, pair.thin.geometry.origin) @ normal)
    step, height = pair.thin.geometry.spacing[0], float(np.asarray(pair.thick.geometry.origin) @ normal)
    for k, slice_hu in enumerate(pair.thick.hu):
        distance = k * pair.thick.geometry.spacing[0]
        at = (start + distance) / step + np.arange(-reach, reach + 1)
        if at[0] < -1e-3 or at[-1] > len(pair.thin.hu) - 1 + 1e-3:
            continue
        below = np.clip(np.floor(at + 1e-3).astype(int), 0, len(pair.thin.hu) - 2)
        share = np.clip(at - below, 0, 1)[:, None, None]
        thin = (1 - share) * pair.thin.hu[below] + share * pair.thin.hu[below + 1]
        edges = thin.std(axis=0) > _EDGE_HU
        if edges.any():
            yield height + distance, thin[:, edges].astype(np.float64), slice_hu[edges].astype(np.float64)


def _fwhm(at: Float[ndarray, " n"], weights: Float[ndarray, " n"]) -> float:
    fine = np.linspace(at[0], at[-1], 4001)
    above = fine[np.interp(fine, at, weights) >= weights.max() / 2]
    return float(above[-1] - above[0])
